"""A value that a background thread computes again and again, so that readers need not wait for it."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from embedding_project.threads.background import repeat_forever

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class Snapshot(Generic[Value]):
    value: Value
    taken_at: float
    """Of the monotonic clock."""

    @property
    def age_seconds(self) -> float:
        return time.monotonic() - self.taken_at


class Refreshed(Generic[Value]):
    """The thread starts at the first `latest`."""

    def __init__(self, name: str, collect: Callable[[], Value], pause_seconds: Callable[[Value], float]) -> None:
        """`pause_seconds`: the pause after a value."""
        self._name = name
        self._collect = collect
        self._pause_seconds = pause_seconds
        self._snapshot: Snapshot[Value] | None = None
        self._first = threading.Event()
        self._waited_for_until: float | None = None
        self._lock = threading.Lock()

    def latest(self, first_wait_seconds: float) -> Snapshot[Value] | None:
        """The last value. It waits for the very first value only, and returns None when that does not come in time.

        The wait is one for all callers: while a server hangs, it holds up the first callers and no later ones.
        """
        if self._snapshot is None:
            self._first.wait(max(0.0, self._begin(first_wait_seconds) - time.monotonic()))
        return self._snapshot

    def _begin(self, first_wait_seconds: float) -> float:
        """Start to collect, once; gives until when the first value is waited for."""
        with self._lock:
            if self._waited_for_until is None:
                repeat_forever(self._name, self._step)
                self._waited_for_until = time.monotonic() + first_wait_seconds
            return self._waited_for_until

    def _step(self) -> None:
        value = self._collect()
        self._snapshot = Snapshot(value, time.monotonic())
        self._first.set()
        time.sleep(self._pause_seconds(value))
