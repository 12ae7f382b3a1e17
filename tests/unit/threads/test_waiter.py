"""Waiting for others: woken, or at the deadline."""

import threading
import time

import pytest

from embedding_project.threads.waiter import Waiter, on_the_wall


def test_who_is_woken_hears_it_and_who_is_not_goes_on_at_the_deadline() -> None:
    woken, forgotten = Waiter(time.monotonic() + 60), Waiter(time.monotonic() + 0.05)
    threading.Timer(0.05, woken.wake).start()
    assert (woken.wait(), woken.is_woken) == (True, True)
    assert (forgotten.wait(), forgotten.is_woken) == (False, False)


def test_what_was_there_before_the_deadline_counts_after_it() -> None:
    waiter = Waiter(time.monotonic() - 1)
    assert not waiter.wait()
    waiter.wake()
    assert waiter.wait()


def test_a_message_names_the_same_moment_by_the_other_clock() -> None:
    assert on_the_wall(time.monotonic() + 5) == pytest.approx(time.time() + 5, abs=0.5)
