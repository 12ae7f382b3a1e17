"""Tickets, and a link to shards whose answers and whose time a test makes."""

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import product

import numpy as np

from embedding_project.broker.envelope import task_argument
from embedding_project.broker.task_messages import QueuedMessage
from embedding_project.contracts.errors import Unavailable
from embedding_project.contracts.hits import ShardHits
from embedding_project.contracts.messages import SearchBatch, SearchReply, ShardQuery
from embedding_project.contracts.queues import SEARCH_TASK, SearchLane, search_queue
from embeddings_app.records.topology import Topology
from embeddings_app.services.search.carrier import Carrier
from embeddings_app.services.search.circuits import TOLERATED_MISSES
from embeddings_app.services.search.hydration import Shown
from embeddings_app.services.search.shard_health import ShardHealth
from embeddings_app.services.search.tickets import SearchTicket

TOPOLOGY = Topology("epoch", 1, 2, 2)
HITS = ShardHits(np.ones(1, np.float32), np.ones(1, np.int64), np.ones(1, np.int32))
SHOWN = Shown(namespace_key=1, version_key=1, filter=None, include=frozenset())


def ticket(
    version_key: int = 1,
    seconds: float = 5.0,
    *,
    microseconds: float = 0.0,
    lane: SearchLane = SearchLane.LIGHT,
    topology: Topology = TOPOLOGY,
    dimension: int = 4,
    allow_partial: bool = True,
) -> SearchTicket:
    query = ShardQuery(version_key=version_key, namespace_key=1, top_k=10, ef_search=100, exact=False, filter="")
    return SearchTicket(
        query=query,
        vector=np.ones(dimension, np.float32),
        shown=SHOWN,
        topology=topology,
        deadline=time.monotonic() + seconds,
        microseconds=microseconds,
        lane=lane,
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
    lane: SearchLane
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
    """By shard, of both lanes."""
    cleared: set[str] = field(default_factory=set)
    """Queues."""
    fault: Exception | None = None
    clear_fault: Exception | None = None
    """When queues are cleared."""
    inbox: str = "reply.test"

    def exchange(self, messages: Sequence[QueuedMessage], seconds: float, deadline: float) -> list[SearchReply]:
        if self.fault is not None:
            raise self.fault
        if messages:
            batch = SearchBatch.from_wire(task_argument(messages[0].text.encode(), SEARCH_TASK))
            shards, lanes = zip(*(_place(message.queue) for message in messages), strict=True)
            sent = Sent(shards, lanes[0], batch)
            self.sent.append(sent)
            self.planned += [(self.clock.now + after, reply) for after, reply in self.answers(sent)]
        return self._wait_until(self.clock.now + max(seconds, 0))

    def _wait_until(self, until: float) -> list[SearchReply]:
        due = min((at for at, _ in self.planned), default=until)
        self.clock.now = max(self.clock.now, min(due, until))
        arrived = [reply for at, reply in self.planned if at <= self.clock.now]
        self.planned = [(at, reply) for at, reply in self.planned if at > self.clock.now]
        return arrived

    def queue_length(self, queue: str) -> int:
        if self.fault is not None:
            raise Unavailable("broker_unavailable")
        return self.lengths.get(_place(queue)[0], 0)

    def drop_expired(self, queues: Iterable[str]) -> None:
        if self.clear_fault is not None:
            raise self.clear_fault
        self.cleared |= set(queues)


def _place(queue: str) -> tuple[int, SearchLane]:
    """The shard and the lane of a queue."""
    places = product(range(TOPOLOGY.shards), SearchLane, (1, 2))
    return next(
        (shard, lane) for shard, lane, version in places if search_queue(TOPOLOGY.layout, version, shard, lane) == queue
    )


Answers = Callable[[Sent], Iterable[tuple[float, SearchReply]]]
SOON = 0.001


def everybody(sent: Sent) -> Iterable[tuple[float, SearchReply]]:
    return [(SOON, answer(sent, shard)) for shard in sent.shards]


def nobody(_: Sent) -> Iterable[tuple[float, SearchReply]]:
    return ()


def only(shard: int) -> Answers:
    return lambda sent: [(SOON, answer(sent, shard))] if shard in sent.shards else []


class Carried:
    """A carrier, and how often others were let go before it was back."""

    def __init__(self) -> None:
        self.wire = Wire()
        self.carrier = Carrier(self.wire, ShardHealth(), self.wire.clock)
        self.overdue = 0

    def carry(self, *tickets: SearchTicket, answers: Answers = everybody) -> SearchTicket:
        self.wire.answers = answers
        self.carrier.carry(tickets, self._overdue)
        return tickets[0]

    def _overdue(self) -> None:
        self.overdue += 1

    def open_circuit(self, shard: int) -> None:
        for _ in range(TOLERATED_MISSES):
            self.carry(ticket(), answers=only(1 - shard))
        self.wire.sent.clear()
        self.overdue = 0

    @property
    def sent_to(self) -> list[tuple[int, ...]]:
        return [sent.shards for sent in self.wire.sent]
