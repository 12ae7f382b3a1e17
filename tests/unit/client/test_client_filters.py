"""Filters of the Python client: what its operators write is what the service reads."""

import operator
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from embsearch import F, Filter
from hypothesis import given
from hypothesis import strategies as st

from embedding_project.contracts.filters import matches, parse_filter
from embedding_project.contracts.metadata import flatten

NAMES = ["x", "y", "z"]


@pytest.mark.parametrize(
    ("written", "read"),
    [
        (F.lang == "en", {"lang": {"eq": "en"}}),
        (F.lang != "en", {"lang": {"ne": "en"}}),
        (F["author.name"] == "Ann", {"author.name": {"eq": "Ann"}}),
        (F.author.name == "Ann", {"author.name": {"eq": "Ann"}}),
        (F.year >= 2020, {"year": {"gte": 2020}}),
        (F.tags.contains("a"), {"tags": {"contains": "a"}}),
        (F.lang.in_(["en", "de"]), {"lang": {"in": ["en", "de"]}}),
        (F.lang.not_in(["en"]), {"lang": {"nin": ["en"]}}),
        (~F.draft.exists(), {"draft": {"exists": False}}),
        (~(F.lang == "en"), {"lang": {"ne": "en"}}),
        (~(F.year < 2020), {"not": {"year": {"lt": 2020}}}),
        (~~(F.year < 2020), {"year": {"lt": 2020}}),
        ((F.a == 1) & (F.b == 2) & (F.c == 3), {"and": [{"a": {"eq": 1}}, {"b": {"eq": 2}}, {"c": {"eq": 3}}]}),
        ((F.a == 1) | (F.b == 2), {"or": [{"a": {"eq": 1}}, {"b": {"eq": 2}}]}),
        (F.at > datetime(2026, 1, 2, tzinfo=UTC), {"at": {"gt": "2026-01-02T00:00:00+00:00"}}),
    ],
)
def test_operators_write_the_filter_that_the_service_reads(written: Filter, read: dict[str, Any]) -> None:
    assert written.to_json() == read
    assert parse_filter(read) is not None


@pytest.mark.parametrize(
    "mistake",
    [
        lambda: (F.a == 1) and (F.b == 2),
        lambda: 1 < F.a < 5,
        lambda: (F.a == 1) & True,  # type: ignore[operator]
        lambda: F.a == None,  # noqa: E711
        lambda: F.a == [1],
        lambda: F["and"] == 1,
        lambda: F.at > datetime(2026, 1, 2),  # noqa: DTZ001
    ],
)
def test_what_python_would_take_for_something_else_is_refused(mistake: Callable[[], object]) -> None:
    with pytest.raises((TypeError, ValueError)):
        mistake()


scalars = st.one_of(st.booleans(), st.integers(-3, 3), st.sampled_from([0.5, 1.0]), st.sampled_from(["", "a", "b"]))
numbers_and_strings = scalars.filter(lambda value: not isinstance(value, bool))
ordered = st.sampled_from([operator.lt, operator.le, operator.gt, operator.ge])
names = st.sampled_from(NAMES)
conditions = st.one_of(
    st.builds(lambda name, test, value: test(F[name], value), names, ordered, numbers_and_strings),
    st.builds(lambda name, value: F[name] == value, names, scalars),
    st.builds(lambda name, value: F[name].contains(value), names, scalars),
    st.builds(lambda name, values: F[name].in_(values), names, st.lists(scalars, min_size=1, max_size=3)),
    st.builds(lambda name: F[name].exists(), names),
)


@given(conditions, conditions, st.dictionaries(names, scalars))
def test_the_operators_mean_what_they_say(one: Filter, other: Filter, metadata: dict[str, Any]) -> None:
    def passes(chosen: Filter) -> bool:
        parsed = parse_filter(chosen.to_json())
        assert parsed is not None
        return matches(parsed, flatten(metadata))

    assert passes(one & other) == (passes(one) and passes(other))
    assert passes(one | other) == (passes(one) or passes(other))
    assert passes(~one) == (not passes(one))
    assert passes(~(one & ~other)) == (not passes(one) or passes(other))
