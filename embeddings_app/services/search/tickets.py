"""A query on its way to the shards and back."""

import threading
from dataclasses import dataclass, field

from embedding_project.contracts.hits import ShardHits
from embedding_project.contracts.messages import ShardQuery
from embedding_project.contracts.origins import NOBODY, Origin
from embedding_project.contracts.vectors import Vector
from embeddings_app.records.topology import Topology

_EXACT_COST = 10_000


@dataclass(slots=True, eq=False)
class Ticket:
    """One query waiting for its shards. Whoever submits it waits on `done`, until its own deadline."""

    query: ShardQuery
    vector: Vector
    topology: Topology
    shards: frozenset[int]
    deadline: float
    """In seconds since the epoch."""
    origin: Origin = NOBODY
    """The request that asks."""
    outcomes: dict[int, ShardHits | str] = field(default_factory=dict)
    """By shard: its hits, or an error code."""
    search_ms: float = 0.0
    """What the slowest node needed for the message this query came with."""
    done: threading.Event = field(default_factory=threading.Event)

    @property
    def cost(self) -> int:
        """What the query asks of a node: ef, or the work of comparing with everything in the same unit."""
        return _EXACT_COST if self.query.exact else max(self.query.ef_search, self.query.top_k)

    def land(self, shard: int, outcome: ShardHits | str, search_ms: float = 0.0) -> None:
        """Take the first outcome of a shard that was asked. Not for two threads at a time."""
        if shard in self.shards and shard not in self.outcomes:
            self.outcomes[shard] = outcome
            self.search_ms = max(self.search_ms, search_ms)
            if len(self.outcomes) == len(self.shards):
                self.done.set()

    def fail(self, code: str) -> None:
        """End the waiting: `code` for every shard that has not answered."""
        for shard in self.shards - self.outcomes.keys():
            self.land(shard, code)
