"""When a shard counts as late, and that hedges stay rare."""

import pytest

from embeddings_app.services.search.hedging import LATEST_SECONDS, SOONEST_SECONDS, AnswerTimes, HedgeBudget


@pytest.mark.parametrize(
    ("usual", "overdue"), [(0.001, SOONEST_SECONDS), (0.03, pytest.approx(0.09)), (0.5, LATEST_SECONDS)]
)
def test_an_answer_is_overdue_after_three_times_the_usual_within_bounds(usual: float, overdue: float) -> None:
    times = AnswerTimes()
    assert times.overdue_after == LATEST_SECONDS
    for _ in range(40):
        times.note(usual)
    assert times.overdue_after == overdue


def test_a_few_lost_answers_do_not_change_what_is_usual() -> None:
    times = AnswerTimes()
    for number in range(200):
        times.note(0.8 if number % 25 == 0 else 0.02)
    assert times.overdue_after == pytest.approx(0.06)


def test_it_follows_when_everything_becomes_slower() -> None:
    times = AnswerTimes()
    for seconds in (*[0.01] * 200, *[0.04] * 20):
        times.note(seconds)
    assert times.overdue_after == pytest.approx(0.12)


def test_a_burst_of_hedges_then_one_in_twenty_fanouts() -> None:
    budget = HedgeBudget()
    assert sum(budget.take() for _ in range(50)) == 10
    earned = 0
    for _ in range(1_000):
        budget.earn()
        earned += budget.take()
    assert 49 <= earned <= 50


def test_savings_are_bounded() -> None:
    budget = HedgeBudget()
    for _ in range(10_000):
        budget.earn()
    assert sum(budget.take() for _ in range(50)) == 10
