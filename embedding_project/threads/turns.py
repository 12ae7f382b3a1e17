"""Turns: a few requests of a process compute at a time, and the others wait outside of the interpreter's queue.

A thread waits for the interpreter behind every thread that runs Python code, up to 5 ms for each. With sixty
requests at work a probe waited for sixty; now it waits for a few. Requests lose nothing: Python runs one thread at a
time anyway.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from queue import Empty, SimpleQueue

AT_ONCE = 4
"""Measured: with fewer turns the interpreter is idle between two of them, with more, probes wait without any gain."""
PATIENCE_SECONDS = 0.25
"""How long a request waits for a turn, at most. Then it goes on without: all requests with a turn may be stuck."""


class Turns:
    """Safe for many threads; a thread has at most one turn."""

    def __init__(self, at_once: int = AT_ONCE, patience_seconds: float = PATIENCE_SECONDS) -> None:
        self._free: SimpleQueue[None] = SimpleQueue()
        for _ in range(at_once):
            self._free.put(None)
        self._patience_seconds = patience_seconds
        self._mine = threading.local()

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Wait for a turn, and keep it during the block."""
        self._take()
        try:
            yield
        finally:
            self._give()

    @contextmanager
    def away(self) -> Iterator[None]:
        """Give the turn to other threads while the block waits; does nothing for a thread without a turn."""
        if not self._give():
            yield
            return
        try:
            yield
        finally:
            self._take()

    def _take(self) -> None:
        try:
            self._free.get(timeout=self._patience_seconds)
        except Empty:
            return
        self._mine.has_turn = True

    def _give(self) -> bool:
        if not getattr(self._mine, "has_turn", False):
            return False
        self._mine.has_turn = False
        self._free.put(None)
        return True


request_turns = Turns()
"""The turns of the requests of this process."""
