"""The coalescer of a process: queries that wait together travel to the shards together.

A query is sent at once while fewer than two fan-outs are under way; else it waits for one to come back, and leaves with
up to 63 others. What a query asks of the shards is bounded, so that one fan-out never holds a node for long.
"""

import logging
import threading
import time
import uuid
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cache

import numpy as np

from embedding_project.background import repeat_forever
from embedding_project.contracts.errors import ServiceError
from embedding_project.contracts.hits import ShardHits
from embedding_project.contracts.messages import SearchBatch, SearchReply, ShardQuery
from embedding_project.contracts.origins import NOBODY, Origin
from embedding_project.contracts.vectors import Vector
from embedding_project.dispatch import send_search
from embedding_project.inbox import OnSearchReply, reply_inbox
from embeddings_app.records.topology import Topology

MAX_FANOUTS = 2
MAX_QUERIES = 64
MAX_COST = 40_000
"""Sum of ef and exact work units in one fan-out: about 50 ms on a node of two cores."""
_EXACT_COST = 10_000
_SLOT_SECONDS = 0.25
"""A fan-out that waits longer for a missing shard no longer holds others back."""
logger = logging.getLogger(__name__)

Send = Callable[[Topology, Iterable[int], SearchBatch], None]


@dataclass(slots=True, eq=False)
class Ticket:
    """One query waiting for its shards."""

    query: ShardQuery
    vector: Vector
    topology: Topology
    shards: frozenset[int]
    deadline: float
    origin: Origin = NOBODY
    """The request that asks."""
    outcomes: dict[int, ShardHits | str] = field(default_factory=dict)
    search_ms: float = 0.0
    """What the slowest node needed for the message this query came with."""
    done: threading.Event = field(default_factory=threading.Event)

    @property
    def cost(self) -> int:
        return _EXACT_COST if self.query.exact else max(self.query.ef_search, self.query.top_k)

    def land(self, shard: int, outcome: ShardHits | str, search_ms: float) -> None:
        """Take the first outcome of a shard that was asked; called from one thread only."""
        if shard in self.shards and shard not in self.outcomes:
            self.outcomes[shard] = outcome
            self.search_ms = max(self.search_ms, search_ms)
            if len(self.outcomes) == len(self.shards):
                self.done.set()

    def fail(self, code: str) -> None:
        for shard in self.shards - self.outcomes.keys():
            self.outcomes[shard] = code
        self.done.set()


@dataclass(slots=True)
class _FanOut:
    tickets: list[Ticket]
    sent_at: float
    holds_slot: bool = True


class Coalescer:
    def __init__(
        self, inbox: str, send: Send, expect: Callable[[str, OnSearchReply], None], forget: Callable[[str], None]
    ) -> None:
        self._inbox = inbox
        self._send_batch = send
        self._expect = expect
        self._forget = forget
        self._waiting: deque[Ticket] = deque()
        self._fanouts: dict[str, _FanOut] = {}
        self._slots = MAX_FANOUTS
        self._changed = threading.Condition()
        repeat_forever("coalescer", self._send_waiting)

    def submit(self, ticket: Ticket) -> None:
        """Send the query now or soon. Whoever submits waits on `ticket.done`, until its own deadline."""
        with self._changed:
            if self._slots == 0 or self._waiting:
                self._waiting.append(ticket)
                self._changed.notify()
                return
            self._slots -= 1
        self._send([ticket])

    def _send(self, tickets: list[Ticket]) -> None:
        """Send tickets that may share a fan-out; the caller took a slot for them."""
        fanout_id = uuid.uuid4().hex
        with self._changed:
            self._fanouts[fanout_id] = _FanOut(tickets, time.monotonic())
        self._expect(fanout_id, self._on_reply)
        try:
            self._send_batch(tickets[0].topology, tickets[0].shards, self._batch(fanout_id, tickets))
        except ServiceError as error:
            self._fail(fanout_id, tickets, error.code)
        except Exception:
            # The slot must come back whatever happened; who waits must hear.
            self._fail(fanout_id, tickets, "internal_error")
            raise

    def _batch(self, fanout_id: str, tickets: list[Ticket]) -> SearchBatch:
        return SearchBatch(
            fanout_id=fanout_id,
            inbox=self._inbox,
            epoch=tickets[0].topology.epoch,
            deadline=max(ticket.deadline for ticket in tickets),
            queries=tuple(ticket.query for ticket in tickets),
            vectors=np.stack([ticket.vector for ticket in tickets]),
            origins=tuple(ticket.origin for ticket in tickets),
        )

    def _fail(self, fanout_id: str, tickets: list[Ticket], code: str) -> None:
        for ticket in tickets:
            ticket.fail(code)
        self._close(fanout_id)

    def _on_reply(self, reply: SearchReply) -> None:
        fanout = self._fanouts.get(reply.fanout_id)
        if fanout is None or len(reply.outcomes) != len(fanout.tickets):
            return
        for ticket, outcome in zip(fanout.tickets, reply.outcomes, strict=True):
            ticket.land(reply.shard, outcome, reply.search_ms)
        if all(ticket.done.is_set() for ticket in fanout.tickets):
            self._close(reply.fanout_id)

    def _close(self, fanout_id: str) -> None:
        self._forget(fanout_id)
        with self._changed:
            fanout = self._fanouts.pop(fanout_id, None)
            if fanout is not None and fanout.holds_slot:
                self._slots += 1
                self._changed.notify()

    def _send_waiting(self) -> None:
        """Send what had to wait, and free the slots of fan-outs that a shard leaves hanging."""
        with self._changed:
            while not (self._waiting and self._slots):
                self._changed.wait(_SLOT_SECONDS if self._fanouts else None)
                self._free_hanging()
            tickets = self._take()
            self._slots -= 1
        self._send(tickets)

    def _take(self) -> list[Ticket]:
        """The longest waiting ticket and those behind it that go to the same index, within the cost of a fan-out."""
        first = self._waiting.popleft()
        tickets, cost, others = [first], first.cost, deque[Ticket]()
        while self._waiting and len(tickets) < MAX_QUERIES:
            ticket = self._waiting.popleft()
            if _share_fanout(first, ticket) and cost + ticket.cost <= MAX_COST:
                tickets.append(ticket)
                cost += ticket.cost
            else:
                others.append(ticket)
        self._waiting.extendleft(reversed(others))
        return tickets

    def _free_hanging(self) -> None:
        now = time.monotonic()
        for fanout_id, fanout in list(self._fanouts.items()):
            if fanout.holds_slot and now - fanout.sent_at > _SLOT_SECONDS:
                fanout.holds_slot = False
                self._slots += 1
            if all(ticket.deadline < time.time() for ticket in fanout.tickets):
                del self._fanouts[fanout_id]
                self._forget(fanout_id)


def _share_fanout(left: Ticket, right: Ticket) -> bool:
    return (
        left.query.version_key == right.query.version_key
        and left.topology == right.topology
        and left.shards == right.shards
    )


@cache
def coalescer() -> Coalescer:
    """The coalescer of this process, opened at first use."""
    inbox = reply_inbox()
    return Coalescer(
        inbox.name,
        lambda topology, shards, batch: send_search(topology.layout, shards, batch),
        inbox.expect_search,
        inbox.forget,
    )
