"""Calls without a deadline of their own: given up in time, and never more than a few."""

import threading
from functools import partial

import pytest

from embedding_project.contracts.errors import Unavailable
from embedding_project.threads.bounded_calls import BoundedCalls

LONG = 30.0


def refuse() -> None:
    raise LookupError("as asked")


def test_the_caller_gets_what_the_work_gives_or_raises() -> None:
    calls = BoundedCalls("calls", 1)
    for number in range(20):
        assert calls.call(partial(abs, number), LONG) == number
        with pytest.raises(LookupError, match="as asked"):
            calls.call(refuse, LONG)


def test_work_that_its_caller_gave_up_keeps_its_place_until_it_ends() -> None:
    calls, go_on, ended = BoundedCalls("calls", 1), threading.Event(), threading.Event()

    def work() -> None:
        go_on.wait(LONG)
        ended.set()

    with pytest.raises(TimeoutError):
        calls.call(work, 0.01)
    with pytest.raises(Unavailable) as refused:
        calls.call(lambda: None, LONG)
    assert refused.value.code == "overloaded"
    go_on.set()
    assert ended.wait(LONG)
