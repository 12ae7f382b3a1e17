"""How a thread of this process waits for others: by the monotonic clock, until a deadline, without its turn.

Only messages to other processes name a moment of the wall clock, which may be set back or forth while somebody waits.
"""

import threading
import time

from embedding_project.threads.turns import request_turns


class Waiter:
    """What one thread waits on until others wake it, or its deadline (monotonic seconds) has come."""

    __slots__ = ("_woken", "deadline")

    def __init__(self, deadline: float) -> None:
        self.deadline = deadline
        self._woken = threading.Event()

    @property
    def is_woken(self) -> bool:
        return self._woken.is_set()

    def wake(self) -> None:
        self._woken.set()

    def wait(self) -> bool:
        """Whether it was woken in time. The turn of a request is left to others meanwhile."""
        if self._woken.is_set():
            return True
        with request_turns.away():
            return self._woken.wait(max(self.deadline - time.monotonic(), 0))


def rest(seconds: float) -> None:
    """Sleep, and leave the turn to others."""
    with request_turns.away():
        time.sleep(seconds)


def on_the_wall(deadline: float) -> float:
    """A moment of the monotonic clock in seconds since the epoch, for a message."""
    return time.time() + deadline - time.monotonic()
