"""Which round of a search is answered: a good first answer is never thrown away."""

from collections.abc import Callable

import pytest
from django.db import OperationalError

from embedding_project.contracts.errors import Unavailable
from embeddings_app.services.search.hydration import SearchHit
from embeddings_app.services.search.rounds import Round, best_round

TOP_K, SPARE = 10, 4


def _round(hits: int, *failed: int, may_have_more: bool = True) -> Round:
    hit = SearchHit(doc_id="a", score=1.0, metadata=None, text=None, vector=None, stale=False)
    return Round(hits=[hit] * hits, shards=2, failed=failed, may_have_more=may_have_more)


class Asked:
    """Answers the rounds in turn, and notes how many hits each was to bring."""

    def __init__(self, *answers: Round | Exception) -> None:
        self._answers = list(answers)
        self.fetched: list[int] = []

    def __call__(self, fetch: int) -> Round:
        self.fetched.append(fetch)
        answer = self._answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


def _seconds(seconds: float) -> Callable[[], float]:
    return lambda: seconds


def test_a_wider_round_is_taken_when_it_has_more() -> None:
    first, second = _round(3), _round(10)
    asked = Asked(first, second)
    assert best_round(asked, TOP_K, SPARE, _seconds(1)) is second
    assert asked.fetched == [14, 56]


@pytest.mark.parametrize("first", [_round(10), _round(3, may_have_more=False)], ids=["enough", "there is no more"])
def test_one_round_is_enough_when_a_second_would_bring_nothing(first: Round) -> None:
    asked = Asked(first)
    assert best_round(asked, TOP_K, SPARE, _seconds(1)) is first


@pytest.mark.parametrize(
    "second",
    [Unavailable("index_unavailable"), OperationalError("canceled"), _round(3), _round(2), _round(8, 1)],
    ids=["no shard answered", "postgres was too slow", "no more hits", "fewer hits", "a shard was lost"],
)
def test_a_second_round_that_is_no_better_leaves_the_first_answer(second: Round | Exception) -> None:
    first = _round(3)
    assert best_round(Asked(first, second), TOP_K, SPARE, _seconds(1)) is first


def test_no_second_round_begins_without_time_for_it() -> None:
    first = _round(3)
    asked = Asked(first)
    assert best_round(asked, TOP_K, SPARE, _seconds(0.049)) is first


def test_what_the_first_round_raises_is_heard() -> None:
    with pytest.raises(Unavailable):
        best_round(Asked(Unavailable("index_unavailable")), TOP_K, SPARE, _seconds(1))
