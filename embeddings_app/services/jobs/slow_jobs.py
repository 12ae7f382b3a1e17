"""Slow jobs of one process: few at a time and each in its turn, so that the sweep and indexing have threads left.

The thread that brings a job runs what waits, when few enough do; else one of those runs it next and the thread is free.
"""

import threading
from collections.abc import Callable

from embeddings_app.services.jobs.job import Job

QUICK_SECONDS = 5.0
"""A job that may take no longer waits for nobody."""
AT_ONCE = 2


class SlowJobs:
    """Safe to use from several threads. A job that waits already does not wait twice."""

    def __init__(self, run: Callable[[Job], object], at_once: int = AT_ONCE) -> None:
        self._run = run
        self._free = threading.Semaphore(at_once)
        self._waiting: dict[str, Job] = {}
        self._lock = threading.Lock()

    def take(self, job: Job) -> None:
        """Run the job, now or after those that came before it. It may be another thread that does."""
        if job.run_seconds <= QUICK_SECONDS:
            self._run(job)
            return
        with self._lock:
            self._waiting.setdefault(job.name, job)
        # A thread that ends looks once more, so nothing is left behind by one that was just too late to help.
        while self._waiting and self._free.acquire(blocking=False):
            try:
                self._run_next()
            finally:
                self._free.release()

    def _run_next(self) -> None:
        with self._lock:
            name = next(iter(self._waiting), None)
            job = self._waiting.pop(name) if name else None
        if job:
            self._run(job)
