"""Work beside its caller: by another thread where one is free, by the caller where none is."""

import threading
from collections.abc import Callable, Iterator
from contextvars import ContextVar

import pytest

from embedding_project.threads.beside import Beside, unbegun

LONG = 30.0
ASKED = ContextVar("asked", default="nobody")


class Held:
    """Work that begins, and ends when it is let go."""

    def __init__(self) -> None:
        self.begun, self.let_go = threading.Event(), threading.Event()

    def __call__(self) -> str:
        self.begun.set()
        self.let_go.wait(LONG)
        return threading.current_thread().name


@pytest.fixture
def held() -> Iterator[Held]:
    held = Held()
    yield held
    held.let_go.set()


def ignore() -> None:
    pass


def here() -> str:
    return threading.current_thread().name


def refuse() -> None:
    raise LookupError("as asked")


def test_another_thread_does_the_work_and_the_caller_waits_for_it(held: Held) -> None:
    begun = Beside("other", 1, ignore).begin(held)
    assert held.begun.wait(LONG)
    held.let_go.set()
    assert begun.result(LONG).startswith("other")


@pytest.mark.parametrize("begin", [Beside("other", 1, ignore).begin, unbegun])
def test_an_error_of_the_work_is_raised_where_it_is_needed(begin: Callable[..., object]) -> None:
    begun = begin(refuse)
    with pytest.raises(LookupError, match="as asked"):
        begun.result(LONG)  # type: ignore[attr-defined]


def test_the_caller_does_what_no_thread_has_begun(held: Held) -> None:
    beside = Beside("other", 1, ignore)
    first = beside.begin(held)
    assert held.begun.wait(LONG)
    assert beside.begin(here).result(LONG) == here()
    assert unbegun(here).result(LONG) == here()
    held.let_go.set()
    assert first.result(LONG).startswith("other")


def test_work_that_takes_too_long_is_waited_for_no_longer(held: Held) -> None:
    begun = Beside("other", 1, ignore).begin(held)
    assert held.begun.wait(LONG)
    with pytest.raises(TimeoutError):
        begun.result(0.01)


def test_the_work_sees_the_context_of_its_caller_and_its_thread_is_left_clean(held: Held) -> None:
    left = list[str]()
    beside = Beside("other", 1, lambda: left.append(here()))
    ASKED.set("somebody")

    def work() -> str:
        held()
        return ASKED.get()

    begun = beside.begin(work)
    assert held.begun.wait(LONG)
    held.let_go.set()
    assert begun.result(LONG) == "somebody"
    assert len(left) == 1
    assert left[0].startswith("other")
