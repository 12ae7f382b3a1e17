"""The threads that compute: each takes steps from the backlog, and keeps their results for the drain loop.

On a CPU every thread computes with one core. Threads of one forward pass wait for each other at every product, so one
that loses its core for a moment stops them all; threads with steps of their own wait for nobody. Only a text that is
alone gets all cores. While they compute, the drain loop receives, tokenises and answers: torch and tokenizers run
without the GIL.
"""

import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from workers.backlog import Backlog
from workers.compute import Computed, compute
from workers.pace import Pace

_LOOK_SECONDS = 1.0


@dataclass(slots=True)
class _UnderWay:
    """The current step of a thread."""

    began: float
    called: float
    """When it last called its encoder: a batch that the model does not take is halved, and costs many calls."""
    longest_seconds: float
    """Of a call."""

    def call(self) -> None:
        self.called = time.monotonic()


class ComputeThreads:
    """Started once. They end when their backlog is closed, or with an error, which `collect` then raises."""

    def __init__(self, backlog: Backlog, pace: Pace, use_cores: Callable[[int], None]) -> None:
        """`use_cores` sets how many cores the calling thread computes with."""
        self._backlog = backlog
        self._pace = pace
        self._use_cores = use_cores
        # Bounded, since the drain loop admits a bounded number of texts.
        self._done: queue.SimpleQueue[Computed | BaseException] = queue.SimpleQueue()
        self._under_way: list[_UnderWay | None] = [None] * pace.threads
        self._threads = [
            threading.Thread(target=self._run, args=(number,), name="compute", daemon=True)
            for number in range(pace.threads)
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def join(self, seconds: float) -> None:
        """Wait up to `seconds` for the steps in progress."""
        until = time.monotonic() + seconds
        for thread in self._threads:
            thread.join(max(0.0, until - time.monotonic()))

    @property
    def stuck(self) -> bool:
        """Whether a call takes longer than any of its encoder: it may never end."""
        now = time.monotonic()
        return any(step is not None and now - step.called >= step.longest_seconds for step in self._under_way)

    def all_busy_for(self, seconds: float) -> bool:
        """Whether every thread is in a step that has taken so long."""
        before = time.monotonic() - seconds
        return all(step is not None and step.began <= before for step in self._under_way)

    def _run(self, number: int) -> None:
        try:
            while not self._backlog.closed:
                self._backlog.wait(_LOOK_SECONDS)
                step = self._backlog.take(time.time())
                if step is None:
                    continue
                now = time.monotonic()
                under_way = _UnderWay(now, now, step.encoder.longest_step_seconds)
                self._under_way[number] = under_way
                self._use_cores(step.cores)
                computed = compute(step, self._pace, under_way.call)
                self._under_way[number] = None
                self._backlog.finished(step)
                self._done.put(computed)
        except BaseException as error:  # noqa: BLE001
            # The process must not go on without this thread: the drain loop collects the error and ends the process.
            self._done.put(error)

    def collect(self, seconds: float) -> list[Computed]:
        """All results so far; waits up to `seconds` for the first one. Raises the error that ended a thread."""
        found: list[Computed] = []
        try:
            while True:
                computed = self._done.get(timeout=0 if found else seconds)
                if isinstance(computed, BaseException):
                    raise computed
                found.append(computed)
        except queue.Empty:
            return found
