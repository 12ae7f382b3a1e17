"""The filter language: grammar, meaning, and its canonical form."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from embedding_project.contracts.errors import InvalidRequest
from embedding_project.contracts.filters import Filter, from_wire, matches, parse_filter, to_wire
from embedding_project.contracts.metadata import canonical, checked_metadata, flatten

DOCUMENT = {
    "section": "python", "size": 5, "free": True, "tags": ["a", 1], "author": {"name": "Ann"}, "none": None,
    "authors": [{"name": "Ann", "born": 1970}, {"name": "Bob", "tags": ["x"], "books": [{"title": "T"}]}, "Eve"],
    "at": "2026-01-02T01:00:00+02:00",
}  # fmt: skip


def _passes(filter_: dict[str, Any]) -> bool:
    parsed = parse_filter(filter_)
    assert parsed is not None
    return matches(parsed, flatten(DOCUMENT))


@pytest.mark.parametrize(
    ("filter_", "expected"),
    [
        ({"section": "python"}, True),
        ({"section": {"eq": "perl"}}, False),
        ({"section": {"ne": "perl"}}, True),
        ({"size": 5.0}, True),
        ({"size": "5"}, False),
        ({"size": True}, False),
        ({"free": 1}, False),
        ({"free": True}, True),
        ({"size": {"gt": 4, "lt": 6}}, True),
        ({"size": {"gte": 5, "lte": 5}}, True),
        ({"size": {"gt": "4"}}, False),
        ({"at": {"gte": "2026-01-01 23:00:00+00:00", "lte": "2026-01-01 23:00:00z"}}, True),
        ({"at": {"gt": "2026-01-01 23:00:00+00:00"}}, False),
        ({"at": "2026-01-02 01:00:00+02:00"}, False),
        ({"section": {"gt": "perl", "lt": "ruby"}}, True),
        ({"free": {"gt": 0}}, False),
        ({"section": {"in": ["perl", "python"]}}, True),
        ({"size": {"in": ["5", True]}}, False),
        ({"section": {"nin": ["perl"]}}, True),
        ({"tags": {"contains": "a"}}, True),
        ({"tags": {"contains": True}}, False),
        ({"tags": {"contains": 1.0}}, True),
        ({"section": {"contains": "python"}}, False),
        ({"tags": "a"}, False),
        ({"author.name": "Ann"}, True),
        ({"author": {"exists": True}}, False),
        ({"none": {"exists": False}}, True),
        ({"missing": {"exists": False}}, True),
        ({"missing": {"ne": "x"}}, True),
        ({"missing": {"nin": ["x"]}}, True),
        ({"missing": {"eq": "x"}}, False),
        ({"section": {"exists": True}}, True),
        ({"section": "python", "size": 6}, False),
        ({"or": [{"size": 6}, {"section": "python"}]}, True),
        ({"and": [{"size": 5}, {"not": {"free": False}}]}, True),
        ({"not": {"missing": "x"}}, True),
        ({"authors.name": "Ann"}, True),
        ({"authors.name": "Eve"}, False),
        ({"authors.name": {"ne": "Bob"}}, False),
        ({"authors.name": {"in": ["Bob", "x"]}}, True),
        ({"authors.born": {"lt": 1980}}, True),
        ({"authors.tags": {"contains": "x"}}, True),
        ({"authors.books.title": "T"}, True),
        ({"authors": {"contains": "Eve"}}, True),
        ({"authors.name": "Ann", "authors.born": {"exists": True}}, True),
        ({"at": {"gte": "2026-01-01T23:00:00Z", "lte": "2026-01-01T23:00:00.0Z"}}, True),
        ({"at": {"lt": "2026-01-02T00:30:00+01:00"}}, True),
        ({"at": {"gt": "2026-01-02"}}, True),
        ({"at": {"eq": "2026-01-01T23:00:00Z"}}, False),
    ],
)
def test_meaning(filter_: dict[str, Any], expected: bool) -> None:
    assert _passes(filter_) is expected


@pytest.mark.parametrize("empty", [None, {}])
def test_no_filter(empty: object) -> None:
    assert parse_filter(empty) is None


@pytest.mark.parametrize(
    ("filter_", "meant"),
    [
        ({"$and": [{"lang": "en"}]}, "write 'and'"),
        ({"AND": [{"lang": "en"}]}, "write 'and'"),
        ({"must": [{"lang": "en"}]}, "write 'and'"),
        ({"must": {"lang": "en"}}, "write 'and'"),
        ({"should": [{"lang": "en"}]}, "write 'or'"),
        ({"$nor": [{"lang": "en"}]}, "write 'not' with an 'or' in it"),
        ({"must_not": [{"lang": "en"}]}, "write 'not' with an 'or' in it"),
        ({"Not": {"lang": "en"}}, "write 'not'"),
        ({"year": {"$gte": 2020}}, "unknown operator; write 'gte'"),
        ({"year": {">=": 2020}}, "unknown operator; write 'gte'"),
        ({"year": {"EQ": 2020}}, "unknown operator; write 'eq'"),
        ({"year": {"$not": {"eq": 1}}}, "unknown operator; write 'ne', or 'not' around the condition"),
        ({"year": {"like": 1}}, "unknown operator; one of eq, in, gt, gte, lt, lte, contains, exists, ne, nin"),
    ],
)
def test_the_habits_of_other_filter_languages_are_told_the_word_to_use(filter_: dict[str, Any], meant: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        parse_filter(filter_)
    assert caught.value.message == meant


@pytest.mark.parametrize("filter_", [{"must": "x"}, {"AND": {"gte": 1}}, {"filter": {"in": ["a"]}}, {"$and": 1}])
def test_a_field_may_be_called_like_a_combination_elsewhere(filter_: dict[str, Any]) -> None:
    assert parse_filter(filter_) is not None


@pytest.mark.parametrize(
    ("filter_", "field"),
    [
        ([], "filters"),
        ({"a": {"like": "x"}}, "filters.a.like"),
        ({"a": {"$where": "x"}}, "filters.a.$where"),
        ({"a": {}}, "filters.a"),
        ({"a": {"eq": None}}, "filters.a.eq"),
        ({"a": {"eq": [1]}}, "filters.a.eq"),
        ({"a": {"in": []}}, "filters.a.in"),
        ({"a": {"in": "x"}}, "filters.a.in"),
        ({"a": {"in": list(range(257))}}, "filters.a.in"),
        ({"a": {"exists": 1}}, "filters.a.exists"),
        ({"a": {"gt": True}}, "filters.a.gt"),
        ({"$and": [{"a": 1}]}, "filters.$and"),
        ({"$not": {"a": 1}}, "filters.$not"),
        ({"and": {}}, "filters.and"),
        ({"or": []}, "filters.or"),
        ({"or": [{}]}, "filters.or[0]"),
        ({"not": []}, "filters.not"),
        ({"": "x"}, "filters."),
        ({"and": [{f"f{number}": 1} for number in range(65)]}, None),
        ({"not": {"not": {"not": {"not": {"a": 1}}}}}, None),
    ],
)
def test_what_is_no_filter_is_refused(filter_: object, field: str | None) -> None:
    with pytest.raises(InvalidRequest) as caught:
        parse_filter(filter_)
    assert caught.value.code == "invalid_filter"
    if field is not None:
        assert caught.value.field == field


scalars = st.one_of(st.booleans(), st.integers(-3, 3), st.sampled_from([0.5, 1.0]), st.sampled_from(["", "a", "b"]))
conditions = st.one_of(
    st.tuples(st.sampled_from(["eq", "ne", "contains"]), scalars),
    st.tuples(st.sampled_from(["in", "nin"]), st.lists(scalars, min_size=1, max_size=3)),
    st.tuples(st.sampled_from(["gt", "gte", "lt", "lte"]), scalars.filter(lambda value: not isinstance(value, bool))),
    st.tuples(st.just("exists"), st.booleans()),
).map(lambda pair: {pair[0]: pair[1]})
leaves = st.dictionaries(st.sampled_from(["x", "y", "z"]), conditions, min_size=1, max_size=2)
filters = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.fixed_dictionaries({"not": inner}),
        st.fixed_dictionaries({"and": st.lists(inner, min_size=1, max_size=2)}),
        st.fixed_dictionaries({"or": st.lists(inner, min_size=1, max_size=2)}),
    ),
    max_leaves=3,
)


def _parsed(filter_: dict[str, Any]) -> Filter | None:
    try:
        return parse_filter(filter_)
    except InvalidRequest:
        return None


@given(filters)
def test_the_canonical_form_gives_the_filter_back(filter_: dict[str, Any]) -> None:
    parsed = _parsed(filter_)
    if parsed is not None:
        assert from_wire(to_wire(parsed)) == parsed


@given(filters, st.dictionaries(st.sampled_from(["x", "y", "z"]), scalars))
def test_not_turns_every_answer_round(filter_: dict[str, Any], metadata: dict[str, Any]) -> None:
    parsed, negated = _parsed(filter_), _parsed({"not": filter_})
    if parsed is not None and negated is not None:
        assert matches(parsed, flatten(metadata)) != matches(negated, flatten(metadata))


@pytest.mark.parametrize(
    "metadata",
    [
        [],
        {"a": float("inf")},
        {"a": "x\x00"},
        {"a": "\ud800"},
        {"": 1},
        {"k" * 129: 1},
        {"a": {"b": {"c": {"d": {"e": {"f": 1}}}}}},
        {"a": "x" * 17_000},
        {f"k{number}": 1 for number in range(65)},
        {"a": 2**64},
        {"a.b": 1, "a": {"b": 2}},
    ],
)
def test_what_is_no_metadata_is_refused(metadata: object) -> None:
    with pytest.raises(InvalidRequest) as caught:
        checked_metadata(metadata, "metadata")
    assert (caught.value.field or "").startswith("metadata")


def test_canonical_metadata_has_one_form_per_meaning() -> None:
    assert canonical({"a": 1.0, "b": [{"c": 2}]}) == canonical({"b": [{"c": 2.0}], "a": 1})
    assert canonical({"a": 1}) != canonical({"a": True})
    assert canonical({"a": 9007199254740993}) != canonical({"a": 9007199254740992})
