"""Slow jobs take turns, and leave threads to the quick ones."""

import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace

from embeddings_app.services.jobs.job import Done, Job
from embeddings_app.services.jobs.slow_jobs import QUICK_SECONDS, SlowJobs

SLOW = Job(
    name="slow",
    purpose="Is slow.",
    work=lambda run: Done(),
    every_seconds=60,
    at_least_seconds=60,
    at_most_seconds=60,
    run_seconds=60.0,
)


class Stage:
    """Jobs that run until the test lets them end."""

    def __init__(self, at_once: int = 2) -> None:
        self.began: list[str] = []
        self.running = self.most = 0
        self._may_end = threading.Semaphore(0)
        self._changed = threading.Condition()
        self.jobs = SlowJobs(self._run, at_once)
        self.threads: list[threading.Thread] = []

    def _run(self, job: Job) -> None:
        with self._changed:
            self.began.append(job.name)
            self.running += 1
            self.most = max(self.most, self.running)
            self._changed.notify_all()
        self._may_end.acquire()
        with self._changed:
            self.running -= 1

    def bring(self, job: Job) -> threading.Thread:
        self.threads.append(threading.Thread(target=self.jobs.take, args=(job,)))
        self.threads[-1].start()
        return self.threads[-1]

    def until(self, condition: Callable[[], bool]) -> None:
        with self._changed:
            assert self._changed.wait_for(condition, 10.0)

    def end(self) -> None:
        self._may_end.release(100)
        for thread in self.threads:
            thread.join(10.0)
            assert not thread.is_alive()


def named(name: str) -> Job:
    return replace(SLOW, name=name)


def test_few_run_at_a_time_and_the_threads_of_the_others_are_free_at_once() -> None:
    stage = Stage(at_once=2)
    for name in "ab":
        stage.bring(named(name))
    stage.until(lambda: len(stage.began) == 2)
    for name in "cdef":
        thread = stage.bring(named(name))
        thread.join(10.0)
        assert not thread.is_alive()
    stage.end()
    assert sorted(stage.began) == list("abcdef")
    assert stage.most == 2


def test_those_that_wait_keep_their_order() -> None:
    stage = Stage(at_once=1)
    stage.bring(named("a"))
    stage.until(lambda: stage.began == ["a"])
    for name in "bcd":
        stage.bring(named(name)).join(10.0)
    stage.end()
    assert stage.began == list("abcd")


def test_one_that_waits_does_not_wait_twice() -> None:
    stage = Stage()
    for name in "ab":
        stage.bring(named(name))
    stage.until(lambda: len(stage.began) == 2)
    for _ in range(3):
        stage.bring(named("c")).join(10.0)
    stage.end()
    assert sorted(stage.began) == ["a", "b", "c"]


def test_quick_ones_wait_for_nobody() -> None:
    stage = Stage()
    for name in "ab":
        stage.bring(named(name))
    stage.until(lambda: len(stage.began) == 2)
    stage.bring(replace(SLOW, name="quick", run_seconds=QUICK_SECONDS))
    stage.until(lambda: "quick" in stage.began)
    stage.end()


def test_a_fault_of_one_leaves_its_turn_to_the_next() -> None:
    ran: list[str] = []

    def run(job: Job) -> None:
        ran.append(job.name)
        raise KeyError(job.name)

    jobs = SlowJobs(run, at_once=1)
    for name in "ab":
        with suppress(KeyError):
            jobs.take(named(name))
    assert ran == ["a", "b"]
