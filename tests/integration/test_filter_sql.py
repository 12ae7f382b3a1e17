"""A filter in SQL leaves out no document that matches, and where it says so, it passes no other."""

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from embedding_project.contracts.errors import InvalidRequest
from embedding_project.contracts.filters import Condition, Filter, Not, matches
from embedding_project.contracts.metadata import checked_metadata, flatten, stored_metadata
from embeddings_app.records.filter_sql import narrowing
from embeddings_app.records.sql import rows
from tests.unit.index_nodes.test_columns import filters, scalars

pytestmark = pytest.mark.usefixtures("database")
_leaf = st.one_of(scalars, st.none(), st.lists(st.one_of(scalars, st.none()), max_size=3))
_nested = st.dictionaries(st.sampled_from(["d", "e"]), _leaf, max_size=2)
_value = st.one_of(_leaf, _nested, st.lists(_nested, min_size=1, max_size=2))
_documents = st.lists(
    st.dictionaries(st.sampled_from(["a", "b", "c", "c.d"]), _value, max_size=3), min_size=1, max_size=6
)


def stored(documents: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Those that the service would take, with the numbers that it would store."""
    taken = []
    for document in documents:
        try:
            taken.append(checked_metadata(document, "metadata"))
        except InvalidRequest:
            continue
    return taken


def passed(node: Filter, documents: list[dict[str, Any]]) -> tuple[list[tuple[dict[str, Any], bool]], bool]:
    """Each document as Postgres gives it back, with whether it passes; and whether that is the last word."""
    narrowed = narrowing(node)
    found = rows(
        f"SELECT metadata::text, {narrowed.sql} FROM unnest(%s::text[]::jsonb[]) AS d(metadata)",
        [*narrowed.parameters, [json.dumps(document) for document in documents]],
    )
    return [(stored_metadata(metadata), passes) for metadata, passes in found], narrowed.exact


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(_documents, filters)
@example([{"a": 2**53 + 1}], Condition("a", "eq", float(2**53)))
@example([{"a": 1e23}], Condition("a", "gte", 1e23))
@example([{"a": True}, {"a": 1}], Condition("a", "in", (1,)))
@example([{"a": {}}, {"a": None}, {}], Condition("a", "exists", False))
@example([{"a": ["x", ["y"]]}, {"a": "x"}], Condition("a", "contains", "y"))
@example([{"b": 1}], Not(Condition("a", "lt", 3)))
def test_postgres_and_the_oracle_agree(documents: list[dict[str, Any]], node: Filter) -> None:
    found, exact = passed(node, stored(documents))
    for document, passes in found:
        wanted = matches(node, flatten(document))
        assert passes == wanted if exact else passes >= wanted, document


def test_what_postgres_can_judge_is_exact() -> None:
    for operator, operand in (("eq", "x"), ("in", (1, "x")), ("gt", 3), ("contains", "x"), ("exists", True), ("ne", 1)):
        assert narrowing(Condition("a", operator, operand)).exact
    assert not narrowing(Condition("a.b", "eq", "x")).exact
    assert not narrowing(Condition("a", "gt", "2026-01-01")).exact
