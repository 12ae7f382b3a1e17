"""Places that are taken without waiting."""

from contextlib import ExitStack

import pytest

from embedding_project.contracts.errors import Unavailable
from embeddings_app.api.admission import Admission, SharedSlots, Slots


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
    assert held_by_one(limits.work, alone=True) == threads - 2


def held_by_one(slots: SharedSlots, *, alone: bool = False) -> int:
    with ExitStack() as held:
        for taken in range(1000):
            try:
                held.enter_context(slots.one("a", alone=alone))
            except Unavailable:
                return taken
    raise AssertionError("no limit")


@pytest.mark.parametrize("number", [1, 8, 94])
def test_a_caller_who_takes_what_there_is_leaves_places_to_others(number: int) -> None:
    slots = SharedSlots(number)
    most = held_by_one(slots)
    assert (3 * number) // 4 <= most <= (3 * number + 3) // 4
    with ExitStack() as held:
        for _ in range(most):
            held.enter_context(slots.one("greedy"))
        if number > 1:
            held.enter_context(slots.one("other"))
        with pytest.raises(Unavailable):
            held.enter_context(slots.one("greedy"))
    assert held_by_one(slots) == most
    assert held_by_one(slots, alone=True) == number


def test_a_place_is_given_back_whatever_happens() -> None:
    slots = Slots(1)
    for _ in range(3):
        with pytest.raises(ValueError, match="boom"), slots.one():
            raise ValueError("boom")
    assert places(slots) == 1


def test_two_browsers_at_one_address_load_a_page_with_all_its_files() -> None:
    """Each loads six files at a time, and may ask for the next before the place of the last one is free."""
    assert held_by_one(Admission(64).pages) >= 2 * 6
