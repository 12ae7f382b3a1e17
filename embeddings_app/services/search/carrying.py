"""Searches of a process travel together: whoever finds a way free carries the search of its own, and those that wait.

A search leaves at once while fewer than WAYS fan-outs are under way. Else it waits. When a fan-out comes back, the
thread of the search that has waited longest is woken to carry it, with up to 63 others, to finished hits; these others
are woken once, when theirs are there. So no search changes threads, and one statement makes the hits of all.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from functools import cache

from django.db import DatabaseError

from embedding_project.contracts.queues import SearchLane
from embedding_project.observing import tracing
from embedding_project.threads.turns import request_turns
from embedding_project.threads.waiter import Waiter
from embeddings_app.services.search.carrier import SHARD_SILENT, Carrier
from embeddings_app.services.search.heavy_line import HeavyLine
from embeddings_app.services.search.hydration import Merged, verified_hits
from embeddings_app.services.search.shard_health import ShardHealth
from embeddings_app.services.search.shard_link import broker_link
from embeddings_app.services.search.tickets import Party, SearchTicket

WAYS = 2
MAX_QUERIES = 64
MAX_MICROSECONDS = 50_000.0
"""What the light searches of one fan-out may cost a node together."""

Finish = Callable[[Sequence[SearchTicket]], None]


class Carrying:
    """The searches of a process that are under way or wait to be."""

    def __init__(self, make_carrier: Callable[[], Carrier], finish: Finish, ways: int = WAYS) -> None:
        """`finish` gives tickets with outcomes their hits."""
        self._make_carrier = make_carrier
        self._finish = finish
        self._ways = ways
        """Free ones."""
        self._idle: list[Carrier] = []
        self._waiting: deque[SearchTicket] = deque()
        self._guard = threading.Lock()

    @property
    def waiting(self) -> int:
        """Searches that no thread carries yet."""
        return len(self._waiting)

    def carry(self, ticket: SearchTicket) -> None:
        """Returns when the ticket has its outcomes and hits, or at its deadline."""
        # Who carries for others must not wait for a turn behind them.
        with request_turns.away():
            if not self._may_leave(ticket):
                ticket.done.wait()
                if not self._is_to_lead(ticket):
                    return
            self._lead(ticket)

    def carry_all(self, tickets: Sequence[SearchTicket]) -> None:
        """The same for several searches of one thread; those that can share a fan-out do."""
        if not tickets:
            return
        party, woken = Party(), Waiter(max(ticket.deadline for ticket in tickets))
        for ticket in tickets:
            ticket.party, ticket.done = party, woken
        with request_turns.away():
            try:
                leader = tickets[0] if self._may_leave(*tickets) else self._awaited(tickets, party, woken)
                while leader:
                    self._lead(leader)
                    leader = self._awaited(tickets, party, woken)
            finally:
                # At the deadline, and after a fault, nobody would lead those that are left.
                with self._guard:
                    self._waiting = deque(ticket for ticket in self._waiting if ticket.party is not party)

    def _may_leave(self, ticket: SearchTicket, *others: SearchTicket) -> bool:
        """Whether `ticket` leaves now; `others`, and else the ticket too, wait for their turn."""
        with self._guard:
            # While a way is free, nobody waits who could take it.
            leaves = self._ways > 0
            self._ways -= leaves
            if ticket.party:
                ticket.party.carries = leaves
            self._waiting.extend(others if leaves else (ticket, *others))
            return leaves

    def _awaited(self, tickets: Sequence[SearchTicket], party: Party, woken: Waiter) -> SearchTicket | None:
        """The next of the tickets that their thread, which carries none now, is to lead; None when all are finished, or
        at the deadline."""
        with self._guard:
            party.carries = False
            if self._ways > 0:
                self._ways -= self._call(ticket for ticket in self._waiting if ticket.party is party)
        in_time = True
        while True:
            woken.rewind()
            with self._guard:
                leader = next((ticket for ticket in tickets if ticket.leads and not ticket.is_finished), None)
                if leader or not in_time or all(ticket.is_finished for ticket in tickets):
                    party.carries = True
                    return leader
            in_time = woken.wait()

    def _call(self, tickets: Iterable[SearchTicket]) -> bool:
        """Let the first of some tickets that wait lead the next fan-out; whether there is one. With the guard."""
        ticket = next(iter(tickets), None)
        if ticket is None:
            return False
        self._waiting.remove(ticket)
        if ticket.party:
            ticket.party.carries = True
        ticket.leads = True
        ticket.done.wake()
        return True

    def _is_to_lead(self, ticket: SearchTicket) -> bool:
        """Of a ticket that was woken, or whose deadline is over."""
        with self._guard:
            if not ticket.leads and ticket in self._waiting:
                self._waiting.remove(ticket)
            return ticket.leads

    def _lead(self, ticket: SearchTicket) -> None:
        release = _Once(self._free_way)
        with self._guard:
            tickets = [ticket, *self._companions(ticket)]
            carriers = [self._idle.pop()] if self._idle else []
        try:
            carriers = carriers or [self._make_carrier()]
            carriers[0].carry(tickets, release)
        finally:
            with self._guard:
                self._idle += carriers
            release()
            try:
                self._finish(tickets)
            finally:
                for one in tickets:
                    one.finish()

    def _free_way(self) -> None:
        """Let the longest waiting search leave whose thread is free to carry it; those that are too late hear of it."""
        with self._guard:
            now = time.monotonic()
            for ticket in [one for one in self._waiting if one.deadline <= now]:
                self._waiting.remove(ticket)
                ticket.fail(SHARD_SILENT)
                ticket.finish()
            if not self._call(one for one in self._waiting if not (one.party and one.party.carries)):
                self._ways += 1

    def _companions(self, leader: SearchTicket) -> list[SearchTicket]:
        """Those that wait and go to the same index, the longest waiting first, within the cost of a fan-out."""
        taken, cost, others = list[SearchTicket](), leader.microseconds, deque[SearchTicket]()
        while self._waiting and len(taken) < MAX_QUERIES - 1:
            ticket = self._waiting.popleft()
            if _share_fanout(leader, ticket) and cost + ticket.microseconds <= MAX_MICROSECONDS:
                taken.append(ticket)
                cost += ticket.microseconds
            else:
                others.append(ticket)
        self._waiting.extendleft(reversed(others))
        return taken


class _Once:
    def __init__(self, call: Callable[[], None]) -> None:
        self._call: Callable[[], None] | None = call

    def __call__(self) -> None:
        call, self._call = self._call, None
        if call:
            call()


def _share_fanout(left: SearchTicket, right: SearchTicket) -> bool:
    return (
        left.query.version_key == right.query.version_key
        and left.topology == right.topology
        and left.shards == right.shards
    )


def make_hits(tickets: Sequence[SearchTicket]) -> None:
    """The hits of the tickets that can have some. Raises DatabaseError."""
    usable = [ticket for ticket in tickets if ticket.is_usable]
    if not usable:
        return
    began, began_ns = time.perf_counter(), time.time_ns()
    found = verified_hits(
        [Merged(ticket.answered, ticket.query.top_k, ticket.shown, ticket.vector) for ticket in usable]
    )
    for ticket, hits in zip(usable, found, strict=True):
        ticket.hits = hits
        ticket.hydrate_ms = 1_000 * (time.perf_counter() - began)
    tracing.record("hydrate", (ticket.origin for ticket in usable), began_ns, searches=len(usable))


def _make_hits_if_possible(tickets: Sequence[SearchTicket]) -> None:
    try:
        make_hits(tickets)
    except DatabaseError:
        # A connection that broke, or a deadline that is over, is the leader's alone: each of them tries for itself.
        return


def carry(ticket: SearchTicket) -> None:
    """Take a search to its shards and back, by `Carrying` or, on its own, by `HeavyLine`. Raises Unavailable when too
    many heavy searches wait."""
    if ticket.lane is SearchLane.HEAVY:
        _heavy_line().carry(ticket)
    else:
        _carrying().carry(ticket)


def carry_all(tickets: Sequence[SearchTicket]) -> None:
    """The same for light searches of one thread."""
    _carrying().carry_all(tickets)


@cache
def _carrying() -> Carrying:
    return Carrying(_new_carrier, _make_hits_if_possible)


@cache
def _heavy_line() -> HeavyLine:
    return HeavyLine(_new_carrier)


@cache
def _health() -> ShardHealth:
    return ShardHealth()


def _new_carrier() -> Carrier:
    return Carrier(broker_link(), _health())
