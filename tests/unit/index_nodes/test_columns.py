"""Filters on columns mean what the oracle says, for whatever values documents have and lose."""

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from embedding_project.contracts.filters import And, Condition, Filter, Not, Or, matches
from embedding_project.contracts.metadata import EACH
from index_nodes.column import USUAL_COSTS, FilterCosts
from index_nodes.columns import Columns, KnownValues

PATHS = ("a", "b", "c.d")
SLOTS = 6
COSTS = {
    "usual": USUAL_COSTS,
    "one slot is few": FilterCosts(few_slots=1, slots_per_look=1),
    "all slots are few": FilterCosts(slots_per_look=1),
    "every value is tested": FilterCosts(few_slots=4, slots_per_look=1, values_per_test=0),
}
numbers = st.one_of(
    st.integers(-3, 3),
    st.sampled_from([0.5, -0.0, 2.0, 2**53, 2**53 + 1, float(2**53), -(2**63), 2**64 - 1, 1e300]),
)
timestamps = st.sampled_from(
    [
        "2026-01-02T01:00:00+02:00", "2026-01-01T23:00:00Z", "2026-01-01 23:30:00Z", "2026-01-02T00:00:00+14:00",
        "2026-01-01t23:00:00.000001z", "2026-01-01", "2026-01-02T01:00:00", "2026-13-01T00:00:00Z",
    ]
)  # fmt: skip
strings = st.one_of(st.sampled_from(["", "1", "true", "é", "x"]), timestamps)
scalars = st.one_of(numbers, st.booleans(), strings)
single = st.one_of(scalars, st.lists(st.one_of(scalars, st.none(), st.lists(scalars, max_size=2)), max_size=3))
values = st.one_of(single, st.lists(single, min_size=1, max_size=3).map(lambda items: {EACH: items}))
rows = st.dictionaries(st.sampled_from(PATHS), values)


@st.composite
def conditions(draw: st.DrawFn) -> Condition:
    operator = draw(
        st.sampled_from(["eq", "ne", "in", "nin", "gt", "gte", "lt", "lte", "contains", "exists"]),
    )
    operand: Any = draw(scalars)
    if operator in ("in", "nin"):
        operand = tuple(draw(st.lists(scalars, min_size=1, max_size=3)))
    elif operator == "exists":
        operand = draw(st.booleans())
    elif operator in ("gt", "gte", "lt", "lte"):
        operand = draw(st.one_of(numbers, st.just(10**400), strings))
    return Condition(draw(st.sampled_from((*PATHS, "nowhere"))), operator, operand)


filters = st.recursive(
    conditions(),
    lambda inner: st.one_of(
        inner.map(Not),
        st.lists(inner, min_size=1, max_size=3).map(lambda parts: And(tuple(parts))),
        st.lists(inner, min_size=1, max_size=3).map(lambda parts: Or(tuple(parts))),
    ),
    max_leaves=6,
)


@pytest.mark.parametrize("costs", COSTS.values(), ids=COSTS)
@given(st.lists(st.tuples(st.integers(0, SLOTS - 1), rows), max_size=20), filters)
@example([(0, {"a": 2**53 + 1})], Condition("a", "gt", float(2**53)))
@example([(0, {"a": True}), (1, {"a": 1})], Condition("a", "eq", 1))
@example([(0, {"a": [1, "1"]}), (0, {"a": '[1, "1"]'})], Condition("a", "contains", 1))
def test_a_filter_agrees_with_the_oracle(
    costs: FilterCosts, writes: list[tuple[int, dict[str, Any]]], node: Filter
) -> None:
    columns = Columns(SLOTS, costs)
    kept: list[dict[str, Any]] = [{} for _ in range(SLOTS)]
    for slot, row in writes:
        columns.set_row(slot, row)
        kept[slot] = row
    check(columns, node, kept)
    restored = Columns(SLOTS, costs)
    restored.restore(columns.capture(SLOTS))
    check(restored, node, kept)


def check(columns: Columns, node: Filter, kept: Sequence[dict[str, Any]]) -> None:
    """Both ways to evaluate a filter give what the oracle gives."""
    expected = [matches(node, row) for row in kept]
    assert columns.mask(node, len(kept)).tolist() == expected
    few = columns.few(node, len(kept))
    assert few is None or few.tolist() == [slot for slot, passes in enumerate(expected) if passes]


@given(st.lists(st.lists(st.tuples(st.integers(0, SLOTS - 1), rows), max_size=4), min_size=SLOTS), filters)
@example([[(1, {"a": 1})], [(1, {"a": 9}), (2, {"a": 1})], *[[]] * 4], Condition("a", "lt", 5))
@example([[(0, {"a": 1})], [(1, {"a": True})], *[[]] * 4], And((Condition("a", "eq", 1), Condition("a", "eq", True))))
def test_a_slot_that_is_tested_later_is_judged_by_what_it_has_then(
    writes: list[list[tuple[int, dict[str, Any]]]], node: Filter
) -> None:
    columns, known = Columns(SLOTS), KnownValues()
    kept: list[dict[str, Any]] = [{} for _ in range(SLOTS)]
    for tested in range(SLOTS):
        for slot, row in writes[tested]:
            columns.set_row(slot, row)
            kept[slot] = row
        assert columns.mask(node, tested + 1, tested, known).tolist() == [matches(node, kept[tested])]


def test_values_nobody_has_any_more_leave_no_trace() -> None:
    columns = Columns(1)
    for number in range(100):
        columns.set_row(0, {"at": number, "tags": [str(number)]})
    column = columns._columns["tags"]
    assert len(column._values) <= 2
    assert len(column._containing) == 1


@pytest.mark.parametrize("operator", ["gt", "gte", "lt", "lte"])
def test_columns_grow_with_their_collection(operator: str) -> None:
    columns = Columns(2)
    columns.set_row(1, {"n": 5})
    columns.grow(8)
    columns.set_row(7, {"n": 6})
    expected = [matches(Condition("n", operator, 5), row) for row in ({}, {"n": 5}, {}, {}, {}, {}, {}, {"n": 6})]
    assert columns.mask(Condition("n", operator, 5), 8).tolist() == expected


@pytest.fixture(scope="module")
def people() -> Columns:
    columns = Columns(10_000)
    for slot in range(10_000):
        columns.set_row(slot, {"name": f"n{slot:05}", "born": slot, "team": slot % 500, "even": slot % 2 == 0})
    return columns


@pytest.mark.parametrize(
    ("node", "few"),
    [
        (Condition("team", "eq", 7), 20),
        (Condition("team", "in", (7, 8)), 40),
        (Condition("born", "lt", 30), 30),
        (Condition("name", "gte", "n09900"), 100),
        (Condition("nowhere", "exists", True), 0),
        (And((Condition("even", "eq", True), Condition("team", "eq", 7))), 0),
        (And((Condition("even", "ne", True), Condition("team", "eq", 7))), 20),
        (And((Condition("born", "gte", 1), Condition("name", "lt", "n00003"))), 2),
        (And((Condition("born", "gte", 5_000), Condition("even", "eq", True), Condition("born", "lt", 5_100))), 50),
        (And((Condition("name", "gt", "n05000"), Condition("name", "lte", "n05010"))), 10),
        (Or((Condition("team", "eq", 7), Condition("born", "lt", 7))), 27),
        (And((Or((Condition("team", "eq", 7), Condition("team", "eq", 8))), Condition("born", "gt", 9_000))), 4),
        (Condition("born", "lt", 156), 156),
        (Condition("born", "lt", 157), None),
        (Condition("even", "eq", True), None),
        (Condition("born", "gte", 5_000), None),
        (Condition("team", "ne", 7), None),
        (Not(Condition("team", "eq", 7)), None),
        (Or((Condition("team", "eq", 7), Condition("team", "ne", 8))), None),
    ],
)
def test_few_slots_are_found_without_a_look_at_the_others(people: Columns, node: Filter, few: int | None) -> None:
    found = people.few(node, 10_000)
    assert (None if found is None else len(found)) == few


def test_values_that_come_and_go_leave_no_postings() -> None:
    columns = Columns(100, FilterCosts(few_slots=8))
    for number in range(5_000):
        columns.set_row(number % 3, {"flag": number % 2, "at": number})
        columns.set_row(3 + number % 97, {"flag": number % 7})
    for column in columns._columns.values():
        lists = column._postings._more
        assert all(len(slots) < 40 for slots in lists.values())
    assert len(columns._columns["at"]._postings._first) <= 4
