"""Processes that work on the tasks of a job, started afresh so that they share nothing with this one.

A task may be done twice without harm. So when a process dies, the tasks that were under way are given out again.
"""

import ctypes
import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from typing import Any, Self, TypeVar

import django
import pyarrow as pa

Task = TypeVar("Task")
_DEATHS = 5
"""So many deaths of processes without a finished task end the work: a task is what kills them."""
_LOOK_SECONDS = 0.5
_PR_SET_PDEATHSIG = 1
_NICE = 5


class WorkersDied(Exception):
    """Processes die again and again before they finish anything."""


class Workers:
    """So many processes, started with the first task and ended with the block."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._pool: ProcessPoolExecutor | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._end()

    def work_on(self, tasks: Sequence[Task], work: Callable[[Task], bool], go_on: Callable[[], bool]) -> Iterator[bool]:
        """What `work` gave for each task, as they end; begins no more of them once `go_on` says no. Raises what `work`
        raises, and WorkersDied."""
        waiting, deaths = list(tasks), 0
        running: dict[Future[bool], Task] = {}
        while running or (waiting and go_on()):
            try:
                while waiting and len(running) < self._count and go_on():
                    running[self._started().submit(work, waiting[0])] = waiting[0]
                    del waiting[0]
                done, _ = wait(running, _LOOK_SECONDS, FIRST_COMPLETED)
                for future in done:
                    result = future.result()
                    del running[future]
                    deaths = 0
                    yield result
            except BrokenProcessPool as error:
                deaths += 1
                if deaths >= _DEATHS:
                    raise WorkersDied("the processes of the job die before they finish anything") from error
                self._end()
                waiting = [*running.values(), *waiting]
                running.clear()

    def _started(self) -> ProcessPoolExecutor:
        if self._pool is None:
            self._pool = ProcessPoolExecutor(self._count, get_context("spawn"), _prepare, (os.getpid(),))
        return self._pool

    def _end(self) -> None:
        """Waits for tasks that are under way."""
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)
            self._pool = None


def _prepare(parent: int) -> None:
    """A process of the pool must not outlive its parent, nor take the time of the service."""
    if sys.platform == "linux":
        prctl: Any = ctypes.CDLL(None).prctl
        prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)
    os.nice(_NICE)
    pa.set_cpu_count(1)
    django.setup()
