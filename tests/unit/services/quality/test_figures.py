"""The figures that versions are judged by, from hits and from judgements."""

import math

import pytest

from embeddings_app.services.quality.calibrating import LADDER, LEAST_QUERIES, smallest_breadth
from embeddings_app.services.quality.judged import ndcg
from embeddings_app.services.quality.trial import recall
from embeddings_app.services.search.hydration import SearchHit


def hits(**scores: float) -> tuple[SearchHit, ...]:
    return tuple(
        SearchHit(doc_id=name, score=score, metadata=None, text=None, vector=None, stale=False)
        for name, score in scores.items()
    )


def test_recall_is_the_share_of_the_nearest_that_was_found() -> None:
    nearest = hits(a=0.9, b=0.8, c=0.7, d=0.6)
    assert recall(nearest, nearest) == 1.0
    assert recall(hits(a=0.9, c=0.7, x=0.5, y=0.4), nearest) == 0.5
    assert recall((), nearest) == 0.0
    assert recall((), ()) is None


def test_a_hit_as_near_as_the_last_of_the_nearest_is_as_good() -> None:
    assert recall(hits(a=0.9, other=0.8), hits(a=0.9, b=0.8)) == 1.0


def test_more_hits_than_there_are_nearest_count_once() -> None:
    assert recall(hits(a=0.9, b=0.8, c=0.8), hits(a=0.9, b=0.8)) == 1.0


@pytest.mark.parametrize(
    ("ranking", "expected"),
    [
        (["best", "good"], 1.0),
        (["good", "best"], (1 + 3 / math.log2(3)) / (3 + 1 / math.log2(3))),
        (["none", "none either"], 0.0),
        (["none", "best", "good"], (3 / math.log2(3) + 1 / 2) / (3 + 1 / math.log2(3))),
        ([], 0.0),
        ([*"abcdefghij", "best"], 0.0),
    ],
)
def test_ndcg_is_that_of_trec_eval(ranking: list[str], expected: float) -> None:
    assert ndcg(ranking, {"best": 3, "good": 1, "none": 0}) == pytest.approx(expected)


def test_a_query_without_a_relevant_document_has_none() -> None:
    assert ndcg(["a"], {"a": 0}) == 0.0


def test_the_smallest_breadth_that_reaches_the_target_is_taken() -> None:
    asked = []

    def recalls(ef_search: int) -> list[float]:
        asked.append(ef_search)
        return [min(1.0, ef_search / 64)] * LEAST_QUERIES

    assert smallest_breadth(recalls, 0.97) == 64
    assert asked == [16, 24, 32, 48, 64]


def test_a_mean_that_other_queries_may_well_miss_does_not_reach_the_target() -> None:
    # A mean of 0.975, with an error of 0.02.
    scattered = [1.0] * 9 + [0.75]
    assert smallest_breadth(lambda ef: scattered if ef < 150 else [0.98] * 10, 0.97) == 150


def test_the_largest_is_taken_when_none_reaches_the_target() -> None:
    assert smallest_breadth(lambda _: [0.5] * LEAST_QUERIES, 0.97) == LADDER[-1]


def test_too_few_queries_tell_nothing() -> None:
    assert smallest_breadth(lambda _: [1.0] * (LEAST_QUERIES - 1), 0.97) is None
