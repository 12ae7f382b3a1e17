"""Something that is done at most once in a while, whichever thread comes first."""

import threading
import time
from collections.abc import Callable


class Seldom:
    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._seconds = seconds
        self._clock = clock
        self._next_at = clock()
        self._lock = threading.Lock()

    def take_turn(self) -> bool:
        """Whether it is time; the next turn comes no sooner than `seconds` from now."""
        with self._lock:
            now = self._clock()
            if now < self._next_at:
                return False
            self._next_at = now + self._seconds
            return True
