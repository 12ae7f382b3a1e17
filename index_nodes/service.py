"""The node of this process, made from its configuration."""

from functools import cache

from redis import Redis

from embedding_project.broker.redis_clients import broker_client
from embedding_project.config import load_config
from embedding_project.contracts.census import CensusQuestion
from embedding_project.contracts.messages import SearchBatch
from embedding_project.contracts.queues import SearchLane, layout_of
from embedding_project.threads.usable_cores import usable_cores
from index_nodes.drainer import SearchDrainer
from index_nodes.memory_budget import MemoryBudget
from index_nodes.node import ShardNode
from index_nodes.replies import Addressed, push_reply

_CORES_PER_THREAD = 4
_MOST_USUAL_THREADS = 4
"""The threads of a process share one interpreter, so that more of them mostly wait for each other."""


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
        memory=MemoryBudget(config.node_memory_bytes),
        heavy_microseconds=1_000.0 * config.heavy_search_ms,
    )


def drainers() -> list[SearchDrainer]:
    """The loops that answer the searches of this process, each for a thread and over a connection of its own. Heavy
    searches have one, so that they wait for each other and no light search for them."""
    config = load_config()
    threads = config.node_search_threads or usual_search_threads(usable_cores())
    lanes = [*[SearchLane.LIGHT] * threads, SearchLane.HEAVY]
    return [SearchDrainer(broker_client(config.redis_url), node(), lane) for lane in lanes]


def usual_search_threads(cores: int) -> int:
    """Of one node on a machine with so many cores, which it shares with other nodes and other roles."""
    return max(1, min(_MOST_USUAL_THREADS, cores // _CORES_PER_THREAD))


def answer_alone(batch: SearchBatch, queue: str) -> None:
    """Search and reply, for a message of any lane that came another way than through a drainer. Raises RedisError, and
    ValueError for a queue of another name."""
    _send(node().answer(batch, layout_of(queue), SearchLane.HEAVY))


def count_alone(question: CensusQuestion, queue: str) -> None:
    """The same for a question for counts."""
    _send(node().count(question, layout_of(queue)))


def _send(answer: Addressed | None) -> None:
    if answer:
        push_reply(_broker(), answer)


@cache
def _broker() -> Redis:
    return broker_client(load_config().redis_url)
