"""Attempts with wrong keys, counted by address: guessing is slowed down, and costs the database nothing."""

import threading
import time
from collections.abc import Callable

FREE_ATTEMPTS = 20
ATTEMPTS_PER_SECOND = 1.0
_MAX_ADDRESSES = 4_096


class Attempts:
    """A bucket for each address, in this process only."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._spent: dict[str, tuple[float, float]] = {}

    def exhausted(self, address: str) -> bool:
        """Whether the address has to wait before its next unknown key is looked at."""
        with self._lock:
            return self._level(address) + 1 > FREE_ATTEMPTS

    def count(self, address: str) -> None:
        """Note a wrong key."""
        with self._lock:
            level = self._level(address) + 1
            if address not in self._spent and len(self._spent) >= _MAX_ADDRESSES:
                del self._spent[next(iter(self._spent))]
            self._spent[address] = (level, self._monotonic())

    def _level(self, address: str) -> float:
        level, at = self._spent.get(address, (0.0, 0.0))
        return max(0.0, level - (self._monotonic() - at) * ATTEMPTS_PER_SECOND)
