"""Tickets, and a transport and a clock that a test moves itself."""

import time
from collections.abc import Iterable

import numpy as np

from embedding_project.broker.inbox import OnSearchReply
from embedding_project.contracts.errors import Unavailable
from embedding_project.contracts.hits import ShardHits
from embedding_project.contracts.messages import SearchBatch, SearchReply, ShardQuery
from embeddings_app.records.topology import Topology
from embeddings_app.services.search.circuits import ShardKey
from embeddings_app.services.search.tickets import SearchTicket

TOPOLOGY = Topology("epoch", 1, 2, 2)
HITS = ShardHits(np.ones(1, np.float32), np.ones(1, np.int64), np.ones(1, np.int32))


def ticket(
    version_key: int = 1, seconds: float = 5.0, *, exact: bool = False, topology: Topology = TOPOLOGY
) -> SearchTicket:
    query = ShardQuery(version_key=version_key, namespace_key=1, top_k=10, ef_search=100, exact=exact, filter="")
    shards = frozenset(range(topology.shards))
    return SearchTicket(query, np.ones(4, np.float32), topology, shards, time.monotonic() + seconds)


class Clock:
    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


class Wire:
    """Notes what is sent to whom; shards answer when the test says so."""

    inbox = "reply.test"

    def __init__(self) -> None:
        self.sent: list[tuple[tuple[int, ...], SearchBatch]] = []
        self.expected: dict[str, OnSearchReply] = {}
        self.lengths: dict[int, int] = {}
        self.cleared: set[int] = set()
        self.fault: Exception | None = None

    def send(self, layout: int, shards: Iterable[int], batch: SearchBatch) -> None:
        assert layout == TOPOLOGY.layout
        if self.fault is not None:
            raise self.fault
        self.sent.append((tuple(shards), batch))

    def queue_length(self, key: ShardKey) -> int:
        if self.fault is not None:
            raise Unavailable("broker_unavailable")
        return self.lengths.get(key.shard, 0)

    def drop_expired(self, keys: Iterable[ShardKey]) -> None:
        self.cleared |= {key.shard for key in keys}

    def expect(self, fanout_id: str, on_reply: OnSearchReply) -> None:
        self.expected[fanout_id] = on_reply

    def forget(self, fanout_id: str) -> None:
        self.expected.pop(fanout_id, None)

    def answer(self, number: int, *shards: int, outcome: ShardHits | str = HITS) -> None:
        """Have shards answer the message that was sent as the `number`-th; nobody hears it when it is forgotten."""
        batch = self.sent[number][1]
        on_reply = self.expected.get(batch.fanout_id)
        if on_reply is None:
            return
        for shard in shards:
            outcomes = (outcome,) * len(batch.queries)
            on_reply(SearchReply(fanout_id=batch.fanout_id, shard=shard, outcomes=outcomes, search_ms=1.0))
