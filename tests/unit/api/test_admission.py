"""Places that are taken without waiting."""

from contextlib import ExitStack

import pytest

from embedding_project.contracts.errors import Unavailable
from embeddings_app.api.admission import Admission, Slots


def places(slots: Slots) -> int:
    """How many can be held at once."""
    with ExitStack() as held:
        for taken in range(1000):
            try:
                held.enter_context(slots.one())
            except Unavailable:
                return taken
    raise AssertionError("no limit")


def test_whoever_finds_no_place_is_told_to_come_back() -> None:
    slots = Slots(1)
    with slots.one(), pytest.raises(Unavailable) as refused, slots.one():
        pass
    assert (refused.value.code, refused.value.retry_after_seconds) == ("overloaded", 1)


@pytest.mark.parametrize("threads", [8, 64])
def test_no_kind_of_work_can_hold_every_thread(threads: int) -> None:
    limits = Admission(threads)
    assert places(limits.embeds) == threads // 2
    assert places(limits.waits) == threads // 4
    assert places(limits.searches) == threads - 6
    assert places(limits.work) == threads - 2


def test_a_place_is_given_back_whatever_happens() -> None:
    slots = Slots(1)
    for _ in range(3):
        with pytest.raises(ValueError, match="boom"), slots.one():
            raise ValueError("boom")
    assert places(slots) == 1
