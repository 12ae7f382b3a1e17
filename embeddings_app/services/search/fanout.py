"""One message to the shards, and the tickets that came with it."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from embedding_project.contracts.messages import SearchBatch, SearchReply
from embeddings_app.services.search.circuits import ShardKey
from embeddings_app.services.search.tickets import Ticket


@dataclass(slots=True, eq=False)
class FanOut:
    """For one thread at a time."""

    tickets: list[Ticket]
    batch: SearchBatch
    release: Callable[[], None]
    """Called once, when the next fan-out need not wait for this one any more."""
    sent_at: float
    missing: set[int] = field(default_factory=set)
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

    @property
    def layout(self) -> int:
        return self.tickets[0].topology.layout

    def key(self, shard: int) -> ShardKey:
        return ShardKey(self.layout, self.batch.queries[0].version_key, shard)

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
