"""Searches on their way to the shards and back, alone and in the messages they share."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from embedding_project.contracts.hits import ShardHits
from embedding_project.contracts.messages import BEHIND, HEAVY, SearchBatch, SearchReply, ShardQuery
from embedding_project.contracts.origins import NOBODY, Origin
from embedding_project.contracts.queues import SearchLane, search_queue
from embedding_project.contracts.vectors import Vector
from embedding_project.threads.waiter import Waiter
from embeddings_app.records.topology import Topology
from embeddings_app.services.search.circuits import ShardKey
from embeddings_app.services.search.hydration import SearchHit, Shown


@dataclass(slots=True)
class Party:
    """The searches of one thread, which can carry one of them at a time."""

    carries: bool = False
    """Whether the thread is under way with one, or chosen for it; none of the others can lead meanwhile."""


@dataclass(slots=True, eq=False, kw_only=True)
class SearchTicket:
    """One search that waits for its shards, and then for its hits."""

    query: ShardQuery
    vector: Vector
    shown: Shown
    topology: Topology
    deadline: float
    """Monotonic seconds."""
    microseconds: float = 0.0
    """What the query may cost a node."""
    lane: SearchLane = SearchLane.LIGHT
    allow_partial: bool = True
    """Whether hits without some of the shards are of any use."""
    origin: Origin = NOBODY
    """The request that asks."""
    outcomes: dict[int, ShardHits | str] = field(default_factory=dict)
    """By shard: its hits, or an error code. What is there from the beginning is not asked for again."""
    shards: frozenset[int] = field(init=False)
    """Those to ask."""
    hits: list[SearchHit] | None = field(default=None, init=False)
    """Verified, best first; None while nobody could make them."""
    search_ms: float = 0.0
    """What the slowest node needed for the message of this query."""
    hydrate_ms: float = field(default=0.0, init=False)
    leads: bool = field(default=False, init=False)
    """Whether its thread is to carry the next fan-out."""
    done: Waiter = field(init=False)
    """Woken when the search is to be carried by its thread, and when it is finished. One for a whole party."""
    is_finished: bool = field(default=False, init=False)
    party: Party | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        self.shards = frozenset(range(self.topology.shards)) - self.outcomes.keys()
        self.done = Waiter(self.deadline)

    @property
    def answered(self) -> list[ShardHits]:
        """The hits of the shards that gave some, in the order of the shards."""
        return [found for _, found in sorted(self.outcomes.items()) if isinstance(found, ShardHits)]

    @property
    def behind(self) -> frozenset[int]:
        """Shards whose replica may not answer yet; another one may."""
        return frozenset(shard for shard, outcome in self.outcomes.items() if outcome == BEHIND)

    @property
    def unsettled(self) -> frozenset[int]:
        """Shards to ask again: those that are behind, and those for which the search was too heavy for its lane."""
        return self.behind | self.too_heavy

    @property
    def too_heavy(self) -> frozenset[int]:
        return frozenset(shard for shard, outcome in self.outcomes.items() if outcome == HEAVY)

    @property
    def is_usable(self) -> bool:
        """Whether its answer can be made of the outcomes that are there."""
        count = len(self.answered)
        return not self.unsettled and count > 0 and (self.allow_partial or count == self.topology.shards)

    def again(self, now: Topology) -> "SearchTicket":
        """The search for the shards that are unsettled; for all where the documents are spread anew by now: what was
        found is of shards that have other documents, under the same numbers."""
        same = (now.epoch, now.layout) == (self.topology.epoch, self.topology.layout)
        settled = {shard: outcome for shard, outcome in self.outcomes.items() if shard not in self.unsettled}
        return replace(self, topology=now, outcomes=settled if same else {})

    def land(self, shard: int, outcome: ShardHits | str, search_ms: float = 0.0) -> None:
        """Take the first outcome of a shard that was asked. For the thread that carries the ticket."""
        if shard in self.shards and shard not in self.outcomes:
            self.outcomes[shard] = outcome
            self.search_ms = max(self.search_ms, search_ms)

    def fail(self, code: str) -> None:
        """`code` for every shard that has not answered."""
        for shard in self.shards - self.outcomes.keys():
            self.land(shard, code)

    def finish(self) -> None:
        """Nobody carries it any more."""
        self.is_finished = True
        self.done.wake()


@dataclass(slots=True, eq=False)
class FanOut:
    """One message to the shards, and the tickets that came with it."""

    tickets: Sequence[SearchTicket]
    batch: SearchBatch
    """The message."""
    missing: set[int] = field(init=False)
    """Shards that the tickets wait for."""
    unheard: set[int] = field(default_factory=set)
    """Shards that were sent the message and have not answered, waited for or not."""
    ids: set[str] = field(init=False)
    """Of the message and its hedges."""
    had_patience: bool = True
    """Whether the deadline of the message left the shards all the time they are given."""

    def __post_init__(self) -> None:
        self.missing = set(self.tickets[0].shards)
        self.ids = {self.batch.fanout_id}

    @property
    def layout(self) -> int:
        return self.tickets[0].topology.layout

    @property
    def deadline(self) -> float:
        """The last one among its tickets."""
        return max(ticket.deadline for ticket in self.tickets)

    @property
    def lane(self) -> SearchLane:
        return self.tickets[0].lane

    @property
    def heavy(self) -> bool:
        return self.lane is SearchLane.HEAVY

    def key(self, shard: int) -> ShardKey:
        return ShardKey(self.layout, self.tickets[0].query.version_key, shard)

    def queue(self, shard: int) -> str:
        return search_queue(*self.key(shard), self.lane)

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
