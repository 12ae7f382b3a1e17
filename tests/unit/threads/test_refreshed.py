"""A value kept fresh in the background: who reads it waits for the first one at most."""

import threading
import time
from itertools import count

from embedding_project.threads.refreshed import Refreshed


def test_the_first_reader_gets_a_value_and_nothing_runs_before() -> None:
    calls = count()
    refreshed = Refreshed("test", lambda: next(calls), lambda value: 60.0)
    time.sleep(0.05)
    assert next(calls) == 0
    snapshot = refreshed.latest(5.0)
    assert snapshot is not None
    assert snapshot.value == 1
    assert 0 <= snapshot.age_seconds < 5


def test_the_value_is_renewed_again_and_again() -> None:
    calls = count()
    refreshed = Refreshed("test", lambda: next(calls), lambda value: 0.001 if value < 3 else 60.0)
    until = time.monotonic() + 5
    while (snapshot := refreshed.latest(5.0)) is None or snapshot.value < 3:
        assert time.monotonic() < until
        time.sleep(0.01)


def test_a_value_that_does_not_come_is_not_waited_for_beyond_the_limit() -> None:
    hangs = threading.Event()
    refreshed = Refreshed("test", lambda: hangs.wait(10), lambda value: 60.0)
    assert refreshed.latest(0.05) is None
    hangs.set()


def test_once_the_wait_for_a_first_value_was_in_vain_nobody_waits_again() -> None:
    hangs, answered = threading.Event(), threading.Event()
    refreshed = Refreshed("test", lambda: hangs.wait(60), lambda value: 60.0)
    assert refreshed.latest(0.05) is None

    def read() -> None:
        refreshed.latest(60.0)
        answered.set()

    threading.Thread(target=read, daemon=True).start()
    assert answered.wait(30)
    hangs.set()


def test_a_value_that_hangs_later_leaves_the_last_one_with_its_age() -> None:
    hangs, calls = threading.Event(), count()

    def collect() -> int:
        number = next(calls)
        if number:
            hangs.wait(10)
        return number

    refreshed = Refreshed("test", collect, lambda value: 0.0)
    assert refreshed.latest(5.0) is not None
    time.sleep(0.1)
    snapshot = refreshed.latest(5.0)
    assert snapshot is not None
    assert (snapshot.value, snapshot.age_seconds >= 0.05) == (0, True)
    hangs.set()


def test_a_failure_is_not_the_end() -> None:
    calls = count()

    def collect() -> int:
        if next(calls) == 0:
            raise ValueError
        return 1

    refreshed = Refreshed("test", collect, lambda value: 60.0)
    snapshot = refreshed.latest(5.0)
    assert snapshot is not None
    assert snapshot.value == 1
