"""The node of this process, made from its configuration."""

from functools import cache

from embedding_project.broker.redis_clients import broker_client
from embedding_project.config import load_config
from index_nodes.drainer import SearchDrainer
from index_nodes.node import ShardNode


@cache
def node() -> ShardNode:
    """The only node of this process; the first call does not start it."""
    config = load_config()
    return ShardNode(
        database_url=config.database_url,
        redis=broker_client(config.redis_url),
        nodes_dir=config.var_dir / "nodes",
        shard=config.node_shard,
        replica=config.node_replica,
        snapshot_seconds=config.snapshot_seconds,
    )


def drainer() -> SearchDrainer:
    """The loop that answers the searches of this process, over a connection of its own."""
    return SearchDrainer(broker_client(load_config().redis_url), node())
