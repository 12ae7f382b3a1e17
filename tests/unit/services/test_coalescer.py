"""The coalescer: at once when idle, together when busy, and no shard holds the others back for ever."""

import threading
import time
from collections.abc import Iterable

import numpy as np

from embedding_project.contracts.errors import Unavailable
from embedding_project.contracts.hits import ShardHits
from embedding_project.contracts.messages import SearchBatch, SearchReply, ShardQuery
from embedding_project.inbox import OnSearchReply
from embeddings_app.records.topology import Topology
from embeddings_app.services.coalescer import Coalescer, Ticket

TOPOLOGY = Topology("epoch", 1, 2, 1)
HITS = ShardHits(np.ones(1, np.float32), np.ones(1, np.int64), np.ones(1, np.int32))


class Wire:
    def __init__(self) -> None:
        self.sent: list[SearchBatch] = []
        self.expected: dict[str, OnSearchReply] = {}
        self.arrived = threading.Condition()
        self.down = False
        forget = lambda fanout_id: self.expected.pop(fanout_id, None)  # noqa: E731
        self.coalescer = Coalescer("reply.test", self.send, self.expected.__setitem__, forget)

    def send(self, topology: Topology, shards: Iterable[int], batch: SearchBatch) -> None:
        if self.down:
            raise Unavailable("broker_unavailable")
        with self.arrived:
            self.sent.append(batch)
            self.arrived.notify_all()

    def wait_for(self, count: int) -> None:
        with self.arrived:
            assert self.arrived.wait_for(lambda: len(self.sent) >= count, 5)

    def answer(self, number: int, shard: int) -> None:
        batch = self.sent[number]
        reply = SearchReply(
            fanout_id=batch.fanout_id, shard=shard, outcomes=(HITS,) * len(batch.queries), search_ms=1.0
        )
        self.expected[batch.fanout_id](reply)


def _ticket(version_key: int = 1, seconds: float = 5.0, *, exact: bool = False) -> Ticket:
    query = ShardQuery(version_key=version_key, namespace_key=1, top_k=10, ef_search=100, exact=exact, filter="")
    return Ticket(query, np.ones(4, np.float32), TOPOLOGY, frozenset({0, 1}), time.time() + seconds)


def test_two_leave_at_once_and_the_rest_leave_together() -> None:
    wire = Wire()
    tickets = [_ticket() for _ in range(12)]
    for ticket in tickets:
        wire.coalescer.submit(ticket)
    assert [len(batch.queries) for batch in wire.sent] == [1, 1]
    for shard in (0, 1):
        wire.answer(0, shard)
    wire.wait_for(3)
    assert len(wire.sent[2].queries) == 10
    for number in (1, 2):
        for shard in (0, 1):
            wire.answer(number, shard)
    assert all(ticket.done.wait(5) and set(ticket.outcomes) == {0, 1} for ticket in tickets)
    assert wire.expected == {}


def test_queries_of_two_models_do_not_share_a_fanout() -> None:
    wire = Wire()
    for version_key in (1, 1, 1, 2, 1, 2):
        wire.coalescer.submit(_ticket(version_key))
    for shard in (0, 1):
        wire.answer(0, shard)
        wire.answer(1, shard)
    wire.wait_for(4)
    keys = [{query.version_key for query in batch.queries} for batch in wire.sent[2:]]
    assert sorted(map(sorted, keys)) == [[1], [2]]


def test_the_cost_of_a_fanout_is_bounded() -> None:
    wire = Wire()
    for _ in range(12):
        wire.coalescer.submit(_ticket(exact=True))
    for shard in (0, 1):
        wire.answer(0, shard)
    wire.wait_for(3)
    assert len(wire.sent[2].queries) == 4


def test_a_silent_shard_does_not_hold_the_slots() -> None:
    wire = Wire()
    tickets = [_ticket(seconds=2.0) for _ in range(3)]
    for ticket in tickets:
        wire.coalescer.submit(ticket)
    for number in (0, 1):
        wire.answer(number, 0)
    wire.wait_for(3)
    wire.answer(2, 0)
    assert not tickets[0].done.is_set()
    assert set(tickets[0].outcomes) == {0}


def test_an_answer_that_comes_twice_counts_once() -> None:
    wire = Wire()
    ticket = _ticket()
    wire.coalescer.submit(ticket)
    wire.answer(0, 0)
    wire.answer(0, 0)
    assert not ticket.done.is_set()
    wire.answer(0, 1)
    assert ticket.done.is_set()


def test_a_broker_that_is_away_fails_the_ticket_at_once_and_gives_the_slot_back() -> None:
    wire = Wire()
    wire.down = True
    tickets = [_ticket() for _ in range(5)]
    for ticket in tickets:
        wire.coalescer.submit(ticket)
        assert ticket.done.wait(5)
        assert set(ticket.outcomes.values()) == {"broker_unavailable"}
    wire.down = False
    wire.coalescer.submit(_ticket())
    wire.wait_for(1)
