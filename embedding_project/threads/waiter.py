"""How a thread of this process waits for other threads: by the monotonic clock, until a deadline, without its turn.

Only messages to other processes have a time of the wall clock, since somebody may set that clock during a wait.
"""

import threading
import time

from embedding_project.threads.turns import request_turns


class Waiter:
    """Lets one thread wait until another thread wakes it, or until its deadline (monotonic seconds)."""

    __slots__ = ("_woken", "deadline")

    def __init__(self, deadline: float) -> None:
        self.deadline = deadline
        self._woken = threading.Event()

    @property
    def is_woken(self) -> bool:
        return self._woken.is_set()

    def wake(self) -> None:
        self._woken.set()

    def rewind(self) -> None:
        """Let the next wait be for another time. Look behind this whether what is waited for is there already."""
        self._woken.clear()

    def wait(self) -> bool:
        """Wait without the turn of a request; returns whether the thread was woken in time."""
        if self._woken.is_set():
            return True
        with request_turns.away():
            return self._woken.wait(max(self.deadline - time.monotonic(), 0))


def rest(seconds: float) -> None:
    """Sleep, and give the turn to other requests."""
    with request_turns.away():
        time.sleep(seconds)


def on_the_wall(deadline: float) -> float:
    """A time of the monotonic clock as seconds since the epoch, for a message."""
    return time.time() + deadline - time.monotonic()
