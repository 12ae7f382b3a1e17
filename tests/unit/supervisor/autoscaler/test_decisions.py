"""When embedders are started and stopped, as a table of situations."""

import math
from collections.abc import Iterable

import pytest

from supervisor.autoscaler.decisions import Reading, Rules, State, decide

RULES = Rules(
    fewest=0,
    most=3,
    up_seconds=0.5,
    up_after_seconds=5,
    down_seconds=0.1,
    down_after_seconds=60,
    pause_seconds=20,
)
REFUSING = "refusing"
Told = float | str | None


def _after(told: Iterable[tuple[int, Told]], start: int = 1) -> list[int]:
    """The wanted number after each second; each part of `told` lasts for so many seconds."""
    state, now, wanted = State(wanted=start), 0.0, []
    for seconds, figure in told:
        for _ in range(seconds):
            backlog = 0.0 if figure == REFUSING else figure
            assert not isinstance(backlog, str)
            state = decide(RULES, state, Reading(at=now, backlog_seconds=backlog, refusing=figure == REFUSING))
            wanted.append(state.wanted)
            now += 1
    return wanted


@pytest.mark.parametrize(
    ("told", "wanted"),
    [
        pytest.param([(5, 2.0)], 1, id="a backlog that is short of its time"),
        pytest.param([(6, 2.0)], 2, id="a backlog that lasts"),
        pytest.param([(6, math.inf)], 2, id="text that nobody computes"),
        pytest.param([(6, REFUSING)], 2, id="refusals without a backlog"),
        pytest.param([(4, 2.0), (1, 0.3), (4, 2.0)], 1, id="pressure that is interrupted"),
        pytest.param([(300, 0.3)], 1, id="neither pressure nor quiet"),
        pytest.param([(60, 0.0)], 1, id="quiet that is short of its time"),
        pytest.param([(61, 0.0)], 0, id="quiet that lasts"),
        pytest.param([(50, 0.0), (1, 0.3), (50, 0.0)], 1, id="quiet that is interrupted"),
        pytest.param([(50, 0.0), (1, REFUSING), (50, 0.0)], 1, id="quiet that is interrupted by a refusal"),
        pytest.param([(300, None)], 1, id="nobody knows"),
        pytest.param([(50, 0.0), (1, None), (50, 0.0)], 1, id="quiet that is not known to last"),
        pytest.param([(1_000, 2.0)], 3, id="pressure without end"),
        pytest.param([(1_000, 0.0)], 0, id="quiet without end"),
    ],
)
def test_the_number_follows_what_lasts(told: list[tuple[int, Told]], wanted: int) -> None:
    assert _after(told)[-1] == wanted


def test_between_two_changes_there_is_a_pause_and_a_new_observation() -> None:
    assert _changes(_after([(100, 2.0)])) == [5, 25]
    assert _changes(_after([(300, 0.0)], start=3)) == [60, 121, 182]


def _changes(wanted: list[int]) -> list[int]:
    """The seconds at which the number changed."""
    return [second for second in range(1, len(wanted)) if wanted[second] != wanted[second - 1]]


@pytest.mark.parametrize(("start", "bounded"), [(0, 2), (9, 4), (3, 3)])
def test_the_bounds_hold_at_once(start: int, bounded: int) -> None:
    rules = Rules(
        fewest=2,
        most=4,
        up_seconds=1,
        up_after_seconds=5,
        down_seconds=0.1,
        down_after_seconds=60,
        pause_seconds=20,
    )
    reading = Reading(at=0.0, backlog_seconds=None, refusing=False)
    assert decide(rules, State(wanted=start), reading).wanted == bounded
