"""Hits put into groups by the values of a metadata field."""

from typing import Any

from embeddings_app.services.search.grouping import grouped, is_complete, loses
from embeddings_app.services.search.hydration import SearchHit
from embeddings_app.services.search.searching import GroupsAsked, SearchResult
from embeddings_app.services.search.text_half import TextReport
from embeddings_app.services.search.text_query import Mode


def hit(doc_id: str, **metadata: Any) -> SearchHit:
    return SearchHit(doc_id=doc_id, score=1.0, metadata=metadata, text=None, vector=None, stale=False)


def groups(hits: list[SearchHit], size: int = 2, field: str = "page") -> list[tuple[Any, list[str]]]:
    found = grouped(hits, GroupsAsked(field=field, size=size))
    return [(group.value, [one.doc_id for one in group.hits]) for group in found]


def test_the_group_of_the_nearest_hit_comes_first_and_takes_so_many() -> None:
    hits = [hit("1", page="b"), hit("2", page="a"), hit("3", page="b"), hit("4", page="b")]
    assert groups(hits) == [("b", ["1", "3"]), ("a", ["2"])]
    assert groups(hits, 1) == [("b", ["1"]), ("a", ["2"])]


def test_values_are_typed() -> None:
    hits = [hit("1", page=1), hit("2", page=True), hit("3", page="1"), hit("4", page=1.0)]
    assert groups(hits) == [(1, ["1", "4"]), (True, ["2"]), ("1", ["3"])]


def test_a_list_stands_for_each_of_its_values_once() -> None:
    hits = [hit("1", page=["a", "b", "a", ["c"], None]), hit("2", page=["b"])]
    assert groups(hits) == [("a", ["1"]), ("b", ["1", "2"])]


def test_a_dotted_path_reaches_into_objects_and_lists_of_them() -> None:
    hits = [hit("1", page={"id": 7}), hit("2", page=[{"id": 7}, {"id": 8}]), hit("3"), hit("4", page=None)]
    assert groups(hits, field="page.id") == [(7, ["1", "2"]), (8, ["2"])]
    assert groups(hits, field="page") == []


def result(*, mode: Mode = Mode.VECTOR, exhausted: bool = False, failed: tuple[int, ...] = (), words: str | None = None,
           fault: str | None = None) -> SearchResult:  # fmt: skip
    """One whose words were all looked at when `words` is empty, and else not, for that reason."""
    return SearchResult(
        mode=mode,
        hits=(),
        exhausted=exhausted,
        shards_total=2,
        shards_failed=failed,
        timings_ms={},
        model_id="m",
        model_version=1,
        ef_search=100,
        text=None if words is None else TextReport(language="english", incomplete=words or None),
        rerank=None,
        vector_fault=fault,
        warnings=(),
    )


def test_groups_are_complete_when_they_are_full_or_nothing_is_left() -> None:
    assert is_complete(result(), full=True)
    assert is_complete(result(exhausted=True), full=False)
    assert not is_complete(result(), full=False)


def test_groups_are_not_complete_where_something_was_not_looked_at() -> None:
    for one in (
        result(exhausted=True, failed=(1,)),
        result(exhausted=True, mode=Mode.TEXT, words="too_many"),
        result(exhausted=True, mode=Mode.TEXT, words="filling"),
        result(exhausted=True, mode=Mode.HYBRID, words="", fault="embedder_unavailable"),
    ):
        assert not is_complete(one, full=True)


def test_full_groups_of_two_rankings_may_change_with_a_wider_look() -> None:
    assert not is_complete(result(mode=Mode.HYBRID, words=""), full=True)
    assert is_complete(result(mode=Mode.HYBRID, words="", exhausted=True), full=False)
    assert is_complete(result(mode=Mode.TEXT, words=""), full=True)


def test_a_wider_look_that_loses_a_shard_or_a_half_is_not_taken() -> None:
    whole = result(mode=Mode.HYBRID, words="")
    for worse in (
        result(mode=Mode.HYBRID, words="", failed=(1,)),
        result(mode=Mode.HYBRID, words="too_slow"),
        result(mode=Mode.HYBRID, words="", fault="embedder_unavailable"),
    ):
        assert loses(worse, whole)
        assert not loses(worse, worse)
        assert not loses(whole, worse)
    assert not loses(result(mode=Mode.HYBRID, words="too_many"), whole)
