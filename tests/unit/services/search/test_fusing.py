"""Reciprocal rank fusion."""

from embeddings_app.services.search.fusing import fused

EQUAL = {"vector": 1.0, "text": 1.0}


def order(rankings: dict[str, list[str]], weights: dict[str, float] | None = None) -> list[str]:
    return [one.doc_id for one in fused(rankings, weights or EQUAL)]


def test_what_both_rankings_have_goes_before_what_one_has() -> None:
    found = fused({"vector": ["a", "b", "c"], "text": ["b", "d"]}, EQUAL)
    assert [one.doc_id for one in found] == ["b", "a", "d", "c"]
    assert found[0].ranks == {"vector": 2, "text": 1}
    assert found[1].ranks == {"vector": 1}


def test_the_first_of_both_has_the_score_one() -> None:
    assert [one.score for one in fused({"vector": ["a"], "text": ["a"]}, EQUAL)] == [1.0]
    assert [one.score for one in fused({"vector": ["a"], "text": []}, EQUAL)] == [0.5]


def test_weights_decide_which_ranking_counts_more() -> None:
    rankings = {"vector": ["a"], "text": ["b"]}
    assert order(rankings) == ["a", "b"]
    assert order(rankings, {"vector": 1.0, "text": 2.0}) == ["b", "a"]
    assert [one.score for one in fused(rankings, {"vector": 0.0, "text": 3.0})] == [1.0, 0.0]


def test_nothing_gives_nothing() -> None:
    assert order({"vector": [], "text": []}) == []
