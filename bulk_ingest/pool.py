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
from typing import Any, TypeVar

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


def work_on(
    tasks: Sequence[Task], work: Callable[[Task], bool], workers: int, go_on: Callable[[], bool]
) -> Iterator[bool]:
    """What `work` gave for each task, as they end; begins no more of them once `go_on` says no. Raises what `work`
    raises, and WorkersDied."""
    waiting, deaths = list(tasks), 0
    while waiting and go_on():
        running: dict[Future[bool], Task] = {}
        with ProcessPoolExecutor(workers, get_context("spawn"), _prepare, (os.getpid(),)) as pool:
            try:
                while (waiting and go_on()) or running:
                    while waiting and len(running) < workers and go_on():
                        running[pool.submit(work, waiting[0])] = waiting[0]
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
                waiting = [*running.values(), *waiting]


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
