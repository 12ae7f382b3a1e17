"""The thread that computes: it takes steps from the backlog, and keeps their results for the drain loop.

While it computes, the drain loop receives, tokenises and answers: torch and tokenizers run without the GIL.
"""

import queue
import threading
import time

from workers.backlog import Backlog
from workers.compute import Computed, compute
from workers.pace import Pace

_LOOK_SECONDS = 1.0


class ComputeThread(threading.Thread):
    """Started once. It ends when its backlog is closed, or with an error, which `collect` then raises."""

    def __init__(self, backlog: Backlog, pace: Pace) -> None:
        super().__init__(name="compute", daemon=True)
        self._backlog = backlog
        self._pace = pace
        # Bounded, since the drain loop admits a bounded number of texts.
        self._done: queue.SimpleQueue[Computed | BaseException] = queue.SimpleQueue()
        self._began: float | None = None

    @property
    def step_seconds(self) -> float:
        """How long the current step has taken so far; 0 between steps."""
        began = self._began
        return 0.0 if began is None else time.monotonic() - began

    def run(self) -> None:
        try:
            while not self._backlog.closed:
                self._backlog.wait(_LOOK_SECONDS)
                step = self._backlog.take(time.time())
                if step:
                    self._began = time.monotonic()
                    self._done.put(compute(step, self._pace))
                    self._began = None
        except BaseException as error:  # noqa: BLE001
            # The process must not go on without this thread: the drain loop collects the error and ends the process.
            self._done.put(error)

    def collect(self, seconds: float) -> list[Computed]:
        """All results so far; waits up to `seconds` for the first one. Raises the error that ended the thread."""
        found: list[Computed] = []
        try:
            while True:
                computed = self._done.get(timeout=0 if found else seconds)
                if isinstance(computed, BaseException):
                    raise computed
                found.append(computed)
        except queue.Empty:
            return found
