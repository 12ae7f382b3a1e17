"""The coalescer of a process: queries that wait together travel to the shards together.

A query is sent at once while fewer than two fan-outs are under way; else it waits for one to come back, and leaves with
up to 63 others. What a query asks of the shards is bounded, so that one fan-out never holds a node for long.
"""

import threading
import time
from collections import deque
from collections.abc import Callable
from functools import cache

from embedding_project.threads.background import repeat_forever
from embeddings_app.services.search.fanout_tracker import SHARD_SILENT, FanOutTracker
from embeddings_app.services.search.shard_transport import BrokerTransport
from embeddings_app.services.search.tickets import SearchTicket

MAX_FANOUTS = 2
MAX_QUERIES = 64
MAX_COST = 40_000
"""Sum of ef and exact work units in one fan-out: about 50 ms on a node of two cores."""

Send = Callable[[list[SearchTicket], Callable[[], None]], None]
"""Sends tickets that may share a fan-out, and calls the function given when the next may leave."""


class Coalescer:
    def __init__(self, send: Send) -> None:
        self._send = send
        self._waiting: deque[SearchTicket] = deque()
        self._slots = MAX_FANOUTS
        self._changed = threading.Condition()
        repeat_forever("coalescer", self._send_waiting)

    def submit(self, ticket: SearchTicket) -> None:
        """Send the query now or soon. Whoever submits waits on `ticket.done`, until its own deadline."""
        with self._changed:
            if self._slots == 0 or self._waiting:
                self._waiting.append(ticket)
                return
            self._slots -= 1
        self._send([ticket], self._release)

    def _release(self) -> None:
        with self._changed:
            self._slots += 1
            self._changed.notify()

    def _send_waiting(self) -> None:
        with self._changed:
            # Only a slot that comes free makes something of what waits possible, so only that wakes this thread.
            self._changed.wait_for(lambda: self._slots and self._waiting)
            tickets = self._take()
            if not tickets:
                return
            self._slots -= 1
        self._send(tickets, self._release)

    def _take(self) -> list[SearchTicket]:
        """The longest waiting ticket and those behind it that go to the same index, within the cost of a fan-out.

        Empty when all that waited is too late.
        """
        now = time.monotonic()
        tickets, cost, others = list[SearchTicket](), 0, deque[SearchTicket]()
        while self._waiting and len(tickets) < MAX_QUERIES:
            ticket = self._waiting.popleft()
            if ticket.deadline <= now:
                ticket.fail(SHARD_SILENT)
            elif not tickets or (_share_fanout(tickets[0], ticket) and cost + ticket.cost <= MAX_COST):
                tickets.append(ticket)
                cost += ticket.cost
            else:
                others.append(ticket)
        self._waiting.extendleft(reversed(others))
        return tickets


def _share_fanout(left: SearchTicket, right: SearchTicket) -> bool:
    return (
        left.query.version_key == right.query.version_key
        and left.topology == right.topology
        and left.shards == right.shards
    )


@cache
def coalescer() -> Coalescer:
    """The coalescer of this process, opened at first use."""
    tracker = FanOutTracker(BrokerTransport())
    repeat_forever("fan-outs", tracker.watch)
    return Coalescer(tracker.send)
