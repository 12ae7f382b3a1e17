"""The filter language over metadata: one syntax, one tree, one meaning.

    {"section": "python"}                              equal to
    {"size_kb": {"gte": 10, "lt": 500}}                several operators on one field all hold
    {"and": [...]}, {"or": [...]}, {"not": {...}}      combinations, nested up to four deep

Several keys in one object must all hold. Typing is strict: 5, "5" and true are three values; 5 and 5.0 are one. A field
that is absent or null matches only `ne`, `nin` and `exists: false`. A field of the objects in a list matches when it
matches in one of them. Timestamps with an offset are compared as instants, other strings by code point.
"""

import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from operator import ge, gt, le, lt
from typing import Any

from embedding_project.contracts.errors import InvalidRequest
from embedding_project.contracts.instants import instant
from embedding_project.contracts.limits import (
    MAX_FILTER_CONDITIONS,
    MAX_FILTER_DEPTH,
    MAX_FILTER_LIST,
    MAX_METADATA_KEY_LENGTH,
)
from embedding_project.contracts.metadata import decimal_number, values_of
from embedding_project.contracts.text import storable

Scalar = str | int | float | bool


@dataclass(frozen=True, slots=True)
class Condition:
    """`operator` applied to the value at the dotted path `path`."""

    path: str
    operator: str
    operand: Any
    """A scalar; a tuple of scalars for `in` and `nin`; a bool for `exists`."""


@dataclass(frozen=True, slots=True)
class And:
    parts: tuple["Filter", ...]


@dataclass(frozen=True, slots=True)
class Or:
    parts: tuple["Filter", ...]


@dataclass(frozen=True, slots=True)
class Not:
    part: "Filter"


Filter = Condition | And | Or | Not


def typed(value: object) -> tuple[str, object]:
    """A key that is the same for equal values, and different for 1, True and "1"."""
    if isinstance(value, bool):
        return ("bool", value)
    if isinstance(value, int | float):
        return ("number", value)
    return (type(value).__name__, value)


def _in_order(test: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool]:
    """`test` of two numbers, of two timestamps as instants, or of two strings by code point; else False."""

    def compare(value: object, operand: object) -> bool:
        if isinstance(value, str) and isinstance(operand, str):
            moments = instant(value), instant(operand)
            return test(value, operand) if None in moments else test(*moments)
        return typed(value)[0] == typed(operand)[0] == "number" and test(value, operand)

    return compare


VALUE_TESTS: Mapping[str, Callable[[Any, Any], bool]] = {
    "eq": lambda value, operand: not isinstance(value, list) and typed(value) == typed(operand),
    "in": lambda value, operands: not isinstance(value, list) and typed(value) in set(map(typed, operands)),
    "gt": _in_order(gt),
    "gte": _in_order(ge),
    "lt": _in_order(lt),
    "lte": _in_order(le),
    "contains": lambda value, operand: isinstance(value, list) and typed(operand) in set(map(typed, _scalars(value))),
    "exists": lambda _value, _operand: True,
}
"""Operator -> test of one present value. `ne`, `nin` and `exists: false` are negations, see `positive`."""


def holds(condition: Condition, value: object) -> bool:
    """Whether a positive condition holds for the value at its path, or for one of its values when there are several."""
    test = VALUE_TESTS[condition.operator]
    return any(test(item, condition.operand) for item in values_of(value))


_NEGATIONS = {"ne": "eq", "nin": "in"}
OPERATORS = (*VALUE_TESTS, *_NEGATIONS)


def _scalars(values: Sequence[Any]) -> list[Any]:
    return [value for value in values if not isinstance(value, list | dict)]


def positive(condition: Condition) -> tuple[Condition, bool]:
    """The condition whose test is in VALUE_TESTS, and whether its answer must be negated."""
    if condition.operator in _NEGATIONS:
        return Condition(condition.path, _NEGATIONS[condition.operator], condition.operand), True
    return condition, condition.operator == "exists" and condition.operand is False


def matches(node: Filter, flat: Mapping[str, Any]) -> bool:
    """The oracle: whether a document with the metadata `flat` passes. Every faster evaluation must agree with it."""
    if isinstance(node, And):
        return all(matches(part, flat) for part in node.parts)
    if isinstance(node, Or):
        return any(matches(part, flat) for part in node.parts)
    if isinstance(node, Not):
        return not matches(node.part, flat)
    condition, negated = positive(node)
    return (condition.path in flat and holds(condition, flat[condition.path])) != negated


def comparisons(node: Filter) -> Iterator[Condition]:
    """The conditions that compare a value; `exists` compares none."""
    if isinstance(node, Condition):
        yield from () if node.operator == "exists" else (node,)
        return
    for part in (node.part,) if isinstance(node, Not) else node.parts:
        yield from comparisons(part)


def condition_count(node: Filter) -> int:
    if isinstance(node, Condition):
        return 1
    return sum(map(condition_count, (node.part,) if isinstance(node, Not) else node.parts))


def parse_filter(value: object, field: str = "filters") -> Filter | None:
    """The tree of a JSON filter; None for null or an empty object. Raises InvalidRequest."""
    if value is None or value == {}:
        return None
    parser = _Parser()
    return parser.node(value, field, depth=1)


_COMBINATIONS_ELSEWHERE = {
    "and": "'and'", "or": "'or'", "not": "'not'", "nor": "'not' with an 'or' in it",
    "must": "'and'", "filter": "'and'", "should": "'or'", "must_not": "'not' with an 'or' in it",
}  # fmt: skip
_OPERATORS_ELSEWHERE = {
    **{operator: f"'{operator}'" for operator in OPERATORS},
    "=": "'eq'", "==": "'eq'", "is": "'eq'", "match": "'eq'", "term": "'eq'", "!=": "'ne'", "<>": "'ne'", "neq": "'ne'",
    ">": "'gt'", ">=": "'gte'", "<": "'lt'", "<=": "'lte'", "any": "'in'", "terms": "'in'", "not_in": "'nin'",
    "not": "'ne', or 'not' around the condition", "and": "'and' around the conditions",
    "or": "'or' around the conditions",
}  # fmt: skip
"""What other products call a combination or an operator, in lower case and without a $ -> what it is called here."""


def _combination_meant(key: str, item: object) -> str | None:
    """The combination that `key` is in other products, unless it can be a field with a condition."""
    meant = _COMBINATIONS_ELSEWHERE.get(key.removeprefix("$").lower())
    can_be_condition = not key.startswith("$") and isinstance(item, dict) and item.keys() <= set(OPERATORS)
    return meant if isinstance(item, dict | list) and not can_be_condition else None


class _Parser:
    def __init__(self) -> None:
        self._conditions = 0

    def node(self, value: object, field: str, depth: int) -> Filter:
        if not isinstance(value, dict) or not value:
            raise _invalid("must be an object with at least one key", field)
        if depth > MAX_FILTER_DEPTH:
            raise _invalid(f"nested deeper than {MAX_FILTER_DEPTH}", field)
        parts = [part for key, item in value.items() for part in self._entry(key, item, f"{field}.{key}", depth)]
        return parts[0] if len(parts) == 1 else And(tuple(parts))

    def _entry(self, key: str, item: object, field: str, depth: int) -> list[Filter]:
        if key == "not":
            return [Not(self.node(item, field, depth + 1))]
        if key in ("and", "or"):
            if not isinstance(item, list) or not item:
                raise _invalid("must be a list of filters", field)
            parts = tuple(self.node(part, f"{field}[{index}]", depth + 1) for index, part in enumerate(item))
            return [And(parts) if key == "and" else Or(parts)]
        if not 1 <= len(key) <= MAX_METADATA_KEY_LENGTH * 5 or not storable(key):
            raise _invalid("is not a metadata path", field)
        if (meant := _combination_meant(key, item)) is not None:
            raise _invalid(f"write {meant}", field)
        tests = item if isinstance(item, dict) else {"eq": item}
        if not tests:
            raise _invalid("has no operator", field)
        return [self._condition(key, operator, operand, field) for operator, operand in tests.items()]

    def _condition(self, path: str, operator: str, operand: object, field: str) -> Condition:
        self._conditions += 1
        if self._conditions > MAX_FILTER_CONDITIONS:
            raise _invalid(f"more than {MAX_FILTER_CONDITIONS} conditions", field)
        if operator not in OPERATORS:
            meant = _OPERATORS_ELSEWHERE.get(operator.removeprefix("$").lower())
            hint = f"write {meant}" if meant else f"one of {', '.join(OPERATORS)}"
            raise _invalid(f"unknown operator; {hint}", f"{field}.{operator}")
        field = f"{field}.{operator}"
        if operator in ("in", "nin"):
            if not isinstance(operand, list) or not 1 <= len(operand) <= MAX_FILTER_LIST:
                raise _invalid(f"must be a list of 1 to {MAX_FILTER_LIST} values", field)
            return Condition(path, operator, tuple(_scalar(item, field) for item in operand))
        if operator == "exists" and not isinstance(operand, bool):
            raise _invalid("must be true or false", field)
        if operator in ("gt", "gte", "lt", "lte") and typed(operand)[0] not in ("number", "str"):
            raise _invalid("must be a number or a string", field)
        return Condition(path, operator, _scalar(operand, field))


def _scalar(value: object, field: str) -> Scalar:
    if not isinstance(value, str | int | float) or (isinstance(value, str) and not storable(value)):
        raise _invalid("must be a string, a number or a boolean", field)
    if isinstance(value, float) and not math.isfinite(value):
        raise InvalidRequest("invalid_number", field=field)
    return decimal_number(value) if isinstance(value, float) else value


def _invalid(message: str, field: str) -> InvalidRequest:
    return InvalidRequest("invalid_filter", message, field=field)


def to_wire(node: Filter) -> str:
    """Canonical JSON of the tree: equal filters give equal strings, so it is also the key of caches."""
    return json.dumps(_to_json(node), ensure_ascii=False, separators=(",", ":"))


def _to_json(node: Filter) -> list[Any]:
    if isinstance(node, Condition):
        operand = list(node.operand) if isinstance(node.operand, tuple) else node.operand
        return ["c", node.path, node.operator, operand]
    if isinstance(node, Not):
        return ["n", _to_json(node.part)]
    return ["a" if isinstance(node, And) else "o", *map(_to_json, node.parts)]


def from_wire(wire: str) -> Filter:
    return _from_json(json.loads(wire))


def _from_json(node: list[Any]) -> Filter:
    tag, *rest = node
    if tag == "c":
        path, operator, operand = rest
        return Condition(path, operator, tuple(operand) if isinstance(operand, list) else operand)
    if tag == "n":
        return Not(_from_json(rest[0]))
    parts = tuple(map(_from_json, rest))
    return And(parts) if tag == "a" else Or(parts)
