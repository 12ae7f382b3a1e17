"""Turns: a few requests of a process compute at a time, the others wait outside of the interpreter's queue.

Whoever runs Python code waits behind every thread that wants to run some, up to 5 ms for each. With sixty requests at
work a probe waited for sixty; now it waits for a handful. Nobody computes less for it: one thread runs at a time
anyway.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from queue import Empty, SimpleQueue

AT_ONCE = 4
"""Measured: fewer leave the interpreter idle while a turn is handed over, more make probes wait without any gain."""
PATIENCE_SECONDS = 0.25
"""A turn is good manners and no permission: should all who have one be stuck, the others go on without."""


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
        """Wait for a turn, and have it for the length of the block."""
        self._take()
        try:
            yield
        finally:
            self._give()

    @contextmanager
    def away(self) -> Iterator[None]:
        """Leave the turn to others while the block waits for something; does nothing for a thread without one."""
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
"""Of the requests of this process."""
