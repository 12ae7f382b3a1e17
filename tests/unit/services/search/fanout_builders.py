"""Tickets, and a link to shards whose answers and whose time a test makes."""

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from embedding_project.broker.envelope import task_argument
from embedding_project.broker.task_messages import QueuedMessage
from embedding_project.contracts.errors import Unavailable
from embedding_project.contracts.hits import ShardHits
from embedding_project.contracts.messages import SearchBatch, SearchReply, ShardQuery
from embedding_project.contracts.queues import SEARCH_TASK, search_queue
from embeddings_app.records.topology import Topology
from embeddings_app.services.search.circuits import ShardKey
from embeddings_app.services.search.hydration import Shown
from embeddings_app.services.search.tickets import SearchTicket

TOPOLOGY = Topology("epoch", 1, 2, 2)
HITS = ShardHits(np.ones(1, np.float32), np.ones(1, np.int64), np.ones(1, np.int32))
SHOWN = Shown(namespace_key=1, version_key=1, filter=None, include=frozenset())


def ticket(
    version_key: int = 1,
    seconds: float = 5.0,
    *,
    exact: bool = False,
    topology: Topology = TOPOLOGY,
    dimension: int = 4,
    allow_partial: bool = True,
) -> SearchTicket:
    query = ShardQuery(version_key=version_key, namespace_key=1, top_k=10, ef_search=100, exact=exact, filter="")
    return SearchTicket(
        query=query,
        vector=np.ones(dimension, np.float32),
        shown=SHOWN,
        topology=topology,
        deadline=time.monotonic() + seconds,
        allow_partial=allow_partial,
    )


class Clock:
    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


@dataclass(frozen=True, slots=True)
class Sent:
    shards: tuple[int, ...]
    batch: SearchBatch


def answer(sent: Sent, shard: int, outcome: ShardHits | str = HITS) -> SearchReply:
    outcomes = (outcome,) * len(sent.batch.queries)
    return SearchReply(fanout_id=sent.batch.fanout_id, shard=shard, outcomes=outcomes, search_ms=1.0)


@dataclass
class Wire:
    """Notes what is sent to whom. Waiting moves the clock: to the next reply that a test planned, or to the end."""

    clock: Clock = field(default_factory=Clock)
    answers: Callable[[Sent], Iterable[tuple[float, SearchReply]]] = lambda _: ()
    """Replies to what was sent, each with the seconds after which it comes."""
    sent: list[Sent] = field(default_factory=list)
    planned: list[tuple[float, SearchReply]] = field(default_factory=list)
    lengths: dict[int, int] = field(default_factory=dict)
    cleared: set[int] = field(default_factory=set)
    fault: Exception | None = None
    clear_fault: Exception | None = None
    """When queues are cleared."""
    inbox: str = "reply.test"

    def exchange(self, messages: Sequence[QueuedMessage], seconds: float) -> list[SearchReply]:
        if self.fault is not None:
            raise self.fault
        if messages:
            batch = SearchBatch.from_wire(task_argument(messages[0].text.encode(), SEARCH_TASK))
            names = {search_queue(TOPOLOGY.layout, batch.queries[0].version_key, shard): shard for shard in range(2)}
            sent = Sent(tuple(names[message.queue] for message in messages), batch)
            self.sent.append(sent)
            self.planned += [(self.clock.now + after, reply) for after, reply in self.answers(sent)]
        return self._wait_until(self.clock.now + max(seconds, 0))

    def _wait_until(self, until: float) -> list[SearchReply]:
        due = min((at for at, _ in self.planned), default=until)
        self.clock.now = max(self.clock.now, min(due, until))
        arrived = [reply for at, reply in self.planned if at <= self.clock.now]
        self.planned = [(at, reply) for at, reply in self.planned if at > self.clock.now]
        return arrived

    def queue_length(self, key: ShardKey) -> int:
        if self.fault is not None:
            raise Unavailable("broker_unavailable")
        return self.lengths.get(key.shard, 0)

    def drop_expired(self, keys: Iterable[ShardKey]) -> None:
        if self.clear_fault is not None:
            raise self.clear_fault
        self.cleared |= {key.shard for key in keys}
