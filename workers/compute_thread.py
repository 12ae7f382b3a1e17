"""The thread that computes: it takes steps from the backlog, and puts what comes of them where the drain loop looks.

While it is inside the model, the drain loop receives, tokenises and answers: torch and tokenizers run without the GIL.
"""

import queue
import threading
import time

from workers.backlog import Backlog
from workers.compute import Computed, compute
from workers.pace import Pace

_LOOK_SECONDS = 1.0


class ComputeThread(threading.Thread):
    """Started once; ends when its backlog is closed, or with the failure that `collect` then raises."""

    def __init__(self, backlog: Backlog, pace: Pace) -> None:
        super().__init__(name="compute", daemon=True)
        self._backlog = backlog
        self._pace = pace
        # Holds no more than the drain loop admitted, and that is bounded.
        self._done: queue.SimpleQueue[Computed | BaseException] = queue.SimpleQueue()
        self._began: float | None = None

    @property
    def step_seconds(self) -> float:
        """For how long the step that is computed now has been; 0 between steps."""
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
            # The process must not go on without this thread: who collects ends it.
            self._done.put(error)

    def collect(self, seconds: float) -> list[Computed]:
        """Everything that was computed; waits for a first step up to `seconds`. Raises what ended the thread."""
        found: list[Computed] = []
        try:
            while True:
                computed = self._done.get(timeout=0 if found else seconds)
                if isinstance(computed, BaseException):
                    raise computed
                found.append(computed)
        except queue.Empty:
            return found
