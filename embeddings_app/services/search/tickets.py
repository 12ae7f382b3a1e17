"""Queries on their way to the shards and back, alone and in the messages they share."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from embedding_project.contracts.hits import ShardHits
from embedding_project.contracts.messages import SearchBatch, SearchReply, ShardQuery
from embedding_project.contracts.origins import NOBODY, Origin
from embedding_project.contracts.vectors import Vector
from embedding_project.threads.waiter import Waiter
from embeddings_app.records.topology import Topology
from embeddings_app.services.search.circuits import ShardKey

_EXACT_COST = 10_000


@dataclass(slots=True, eq=False)
class SearchTicket:
    """One query waiting for its shards. Whoever submits it waits on `done`, until its own deadline."""

    query: ShardQuery
    vector: Vector
    topology: Topology
    shards: frozenset[int]
    deadline: float
    """Monotonic seconds."""
    origin: Origin = NOBODY
    """The request that asks."""
    outcomes: dict[int, ShardHits | str] = field(default_factory=dict)
    """By shard: its hits, or an error code."""
    search_ms: float = 0.0
    """What the slowest node needed for the message this query came with."""
    done: Waiter = field(init=False)

    def __post_init__(self) -> None:
        self.done = Waiter(self.deadline)

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
                self.done.wake()

    def fail(self, code: str) -> None:
        """End the waiting: `code` for every shard that has not answered."""
        for shard in self.shards - self.outcomes.keys():
            self.land(shard, code)


@dataclass(slots=True, eq=False)
class FanOut:
    """One message to the shards, and the tickets that came with it. For one thread at a time."""

    tickets: list[SearchTicket]
    release: Callable[[], None]
    """Called once, when the next fan-out need not wait for this one any more."""
    sent_at: float
    batch: SearchBatch = field(init=False)
    """The message, once it is made."""
    missing: set[int] = field(init=False)
    """Shards that the tickets wait for."""
    unheard: set[int] = field(default_factory=set)
    """Shards that were sent the message and have not answered, waited for or not."""
    ids: list[str] = field(default_factory=list)
    """Of the message and its hedges."""
    steps: deque[tuple[float, Callable[["FanOut"], None]]] = field(default_factory=deque)
    """What is to be done about it, and when, while it is open."""
    had_patience: bool = True
    """Whether the deadline of the message left the shards all the time they are given."""
    holds_slot: bool = True

    def __post_init__(self) -> None:
        self.missing = set(self.tickets[0].shards)

    @property
    def layout(self) -> int:
        return self.tickets[0].topology.layout

    def key(self, shard: int) -> ShardKey:
        return ShardKey(self.layout, self.tickets[0].query.version_key, shard)

    def land(self, reply: SearchReply) -> None:
        """Give every ticket its outcome of a shard."""
        self.missing.discard(reply.shard)
        for ticket, outcome in zip(self.tickets, reply.outcomes, strict=True):
            ticket.land(reply.shard, outcome, reply.search_ms)

    def give_up(self, shard: int, code: str) -> None:
        """Let the tickets go on without a shard."""
        self.missing.discard(shard)
        for ticket in self.tickets:
            ticket.land(shard, code)

    def free_slot(self) -> None:
        if self.holds_slot:
            self.holds_slot = False
            self.release()
