"""Filters as conditions on `metadata` in SQL: what Postgres can leave out before anybody reads it.

`filters.matches` stays the judge. A condition here passes every document that matches, and says whether it passes no
other: only then need nobody look again. What Postgres would judge otherwise (paths through objects and lists, texts in
order) passes everything.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from embedding_project.contracts.filters import And, Condition, Filter, Not, Or, positive

EVERY_ROW = "true"
"""The condition that leaves out no row."""
_IN_ORDER = {"gt": ">", "gte": ">=", "lt": "<", "lte": "<="}


@dataclass(frozen=True, slots=True)
class Narrowing:
    """A condition on a row with the column `metadata`. It is true or false, never null."""

    sql: str
    parameters: tuple[Any, ...]
    exact: bool
    """Whether it holds for matching documents alone."""


NOTHING_LEFT_OUT = Narrowing(EVERY_ROW, (), exact=False)


def narrowing(node: Filter | None) -> Narrowing:
    """What passes when `node` matches; everything for None."""
    if node is None:
        return Narrowing(EVERY_ROW, (), exact=True)
    if isinstance(node, Condition):
        return _condition(node)
    if isinstance(node, Not):
        return _negated(narrowing(node.part))
    parts = [narrowing(part) for part in node.parts]
    exact = all(part.exact for part in parts)
    if isinstance(node, Or) and any(part.sql == EVERY_ROW for part in parts):
        return NOTHING_LEFT_OUT
    word = " AND " if isinstance(node, And) else " OR "
    return Narrowing(
        f"({word.join(part.sql for part in parts)})", tuple(value for part in parts for value in part.parameters), exact
    )


def _negated(part: Narrowing) -> Narrowing:
    return Narrowing(f"(NOT {part.sql})", part.parameters, exact=True) if part.exact else NOTHING_LEFT_OUT


def _condition(condition: Condition) -> Narrowing:
    test, negated = positive(condition)
    # A dot may lead into objects, and into those of lists.
    found = NOTHING_LEFT_OUT if "." in test.path else _TESTS[test.operator](test)
    return _negated(found) if negated else found


def _equal(test: Condition) -> Narrowing:
    return _one_of(test.path, (test.operand,))


def _one_of(path: str, values: Sequence[Any]) -> Narrowing:
    wanted = [json.dumps(value, ensure_ascii=False) for value in values]
    return Narrowing("coalesce(metadata -> %s = ANY(%s::text[]::jsonb[]), false)", (path, wanted), exact=True)


def _exists(test: Condition) -> Narrowing:
    sql = "coalesce(jsonb_typeof(metadata -> %s) NOT IN ('null', 'object'), false)"
    return Narrowing(sql, (test.path,), exact=True)


def _contains(test: Condition) -> Narrowing:
    sql = "coalesce(jsonb_typeof(metadata -> %s) = 'array' AND metadata -> %s @> %s::jsonb, false)"
    return Narrowing(sql, (test.path, test.path, json.dumps([test.operand], ensure_ascii=False)), exact=True)


def _ordered(test: Condition) -> Narrowing:
    if isinstance(test.operand, str):
        sql = "coalesce(jsonb_typeof(metadata -> %s) = 'string', false)"
        return Narrowing(sql, (test.path,), exact=False)
    sign = _IN_ORDER[test.operator]
    # As jsonb, numbers are decimal and stand in one order; a type of its own stands apart.
    sql = f"coalesce(jsonb_typeof(metadata -> %s) = 'number' AND metadata -> %s {sign} %s::jsonb, false)"
    return Narrowing(sql, (test.path, test.path, json.dumps(test.operand)), exact=True)


_TESTS: dict[str, Callable[[Condition], Narrowing]] = {
    "eq": _equal,
    "in": lambda test: _one_of(test.path, test.operand),
    "exists": _exists,
    "contains": _contains,
    **dict.fromkeys(_IN_ORDER, _ordered),
}
