"""The node of this process, made from its configuration."""

from functools import cache

from embedding_project.broker.redis_clients import broker_client
from embedding_project.config import load_config
from embedding_project.contracts.messages import SearchBatch
from index_nodes.drainer import SearchDrainer
from index_nodes.node import ShardNode
from index_nodes.replies import push_reply


@cache
def node() -> ShardNode:
    """The only node of this process; the first call does not start it."""
    config = load_config()
    return ShardNode(
        database_url=config.database_url,
        nodes_dir=config.var_dir / "nodes",
        shard=config.node_shard,
        replica=config.node_replica,
        snapshot_seconds=config.snapshot_seconds,
    )


def drainer() -> SearchDrainer:
    """The loop that answers the searches of this process, over a connection of its own."""
    return SearchDrainer(broker_client(load_config().redis_url), node())


def answer_alone(batch: SearchBatch) -> None:
    """Search and reply, for a message that came another way than through the drainer. Raises RedisError."""
    answer = node().answer(batch)
    if answer:
        push_reply(broker_client(load_config().redis_url), answer)
