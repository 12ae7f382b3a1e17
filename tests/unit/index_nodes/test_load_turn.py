"""Loads of several nodes take turns, as long as none of them keeps the others waiting for too long."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from index_nodes.load_turn import LoadTurn

Turns = tuple[LoadTurn, LoadTurn]


@pytest.fixture
def turns(tmp_path: Path) -> Iterator[Turns]:
    first, second = LoadTurn(tmp_path / "lock", 300.0), LoadTurn(tmp_path / "lock", 300.0)
    yield first, second
    first.give_back()
    second.give_back()


def test_one_load_goes_at_a_time(turns: Turns) -> None:
    first, second = turns
    assert first.take(1.0)
    assert not second.take(1.0)
    assert first.take(2.0)
    first.give_back()
    assert second.take(2.0)
    assert not first.take(3.0)


def test_a_load_does_not_wait_for_ever(turns: Turns) -> None:
    first, second = turns
    assert first.take(1.0)
    assert not second.take(2.0)
    assert not second.take(301.0)
    assert second.take(302.0)


def test_a_turn_that_was_not_there_is_given_back_as_well(turns: Turns) -> None:
    first, second = turns
    first.give_back()
    assert second.take(1.0)
    second.give_back()
    second.give_back()
    assert first.take(1.0)


def test_a_turn_that_nobody_can_have_is_waited_for_as_one_that_is_taken(tmp_path: Path) -> None:
    for file in (tmp_path / "no folder" / "lock", tmp_path):
        turn = LoadTurn(file, 300.0)
        assert not turn.take(1.0)
        assert not turn.take(300.0)
        assert turn.take(301.0)
        turn.give_back()
