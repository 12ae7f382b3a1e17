"""Heavy searches of a process: one after the other, and so at most one of them on every shard.

Those that wait stand in a line. A search that would not be answered in its time is refused instead: by what those
before it cost, and by how much longer than estimated the last ones took, since nodes have other senders too.
"""

import math
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from embedding_project.contracts.errors import Unavailable
from embedding_project.threads.turns import request_turns
from embeddings_app.services.search.carrier import TOO_SLOW, Carrier
from embeddings_app.services.search.metrics import HEAVY_REFUSED, HEAVY_SEARCHES, HEAVY_SECONDS
from embeddings_app.services.search.tickets import SearchTicket

MOST_IN_LINE = 8
"""With the one under way: each holds a thread of its request."""
_MEMORY = 0.7
"""How much the pace so far counts after a further search."""
_SLOWEST, _FASTEST = 50.0, 0.1
_SHORTEST_SECONDS = 0.001


class HeavyLine:
    """Safe for many threads."""

    def __init__(self, make_carrier: Callable[[], Carrier], clock: Callable[[], float] = time.monotonic) -> None:
        self._make_carrier = make_carrier
        self._clock = clock
        self._carrier: Carrier | None = None
        self._line: deque[SearchTicket] = deque()
        """The first one is under way."""
        self._pace = 1.0
        """Seconds that searches take for each second of their estimated cost."""
        self._guard = threading.Lock()

    @property
    def length(self) -> int:
        return len(self._line)

    def carry(self, ticket: SearchTicket) -> None:
        """Returns when the ticket has its outcomes, or at its deadline. Raises Unavailable when too many wait."""
        self._join(ticket)
        with self._place(ticket), request_turns.away():
            if not self._is_first(ticket):
                ticket.done.wait()
            if self._is_first(ticket):
                self._send(ticket)
            else:
                ticket.fail(TOO_SLOW)

    def _join(self, ticket: SearchTicket) -> None:
        with self._guard:
            before = self._pace * sum(other.microseconds for other in self._line) / 1_000_000
            own = self._pace * ticket.microseconds / 1_000_000
            late = self._line and before + own > ticket.deadline - time.monotonic()
            if not late and len(self._line) < MOST_IN_LINE:
                self._line.append(ticket)
                return
        HEAVY_REFUSED.inc()
        raise Unavailable(
            "overloaded",
            "too many searches that read very many documents wait",
            retry_after_seconds=max(1, math.ceil(before)),
        )

    @contextmanager
    def _place(self, ticket: SearchTicket) -> Iterator[None]:
        HEAVY_SEARCHES.inc()
        try:
            yield
        finally:
            HEAVY_SEARCHES.dec()
            with self._guard:
                self._line.remove(ticket)
                if self._line:
                    self._line[0].done.wake()

    def _is_first(self, ticket: SearchTicket) -> bool:
        with self._guard:
            return self._line[0] is ticket

    def _send(self, ticket: SearchTicket) -> None:
        """For one thread at a time: that of the first ticket."""
        began = self._clock()
        self._carrier = self._carrier or self._make_carrier()
        self._carrier.carry([ticket], lambda: None)
        seconds = self._clock() - began
        HEAVY_SECONDS.observe(seconds)
        estimated = max(ticket.microseconds / 1_000_000, _SHORTEST_SECONDS)
        pace = _MEMORY * self._pace + (1 - _MEMORY) * seconds / estimated
        self._pace = min(max(pace, _FASTEST), _SLOWEST)
