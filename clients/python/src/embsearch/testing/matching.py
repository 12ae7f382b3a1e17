"""Filters as the service reads them. A test compares this with the service's own definition of their meaning."""

import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from operator import ge, gt, le, lt
from typing import Any

from embsearch.testing.refusals import Refusal

Flat = Mapping[str, Sequence[Any]]
"""Dotted path -> the values there: one, or one for each object of a list."""
Test = Callable[[Flat], bool]
MOST_CONDITIONS, MOST_DEPTH = 64, 4
_ORDERED = {"gt": gt, "gte": ge, "lt": lt, "lte": le}
OPERATORS = ("eq", "ne", "in", "nin", *_ORDERED, "contains", "exists")
_ELSEWHERE = {"and", "or", "not", "nor", "must", "filter", "should", "must_not"}
_TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)", re.ASCII)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def flatten(metadata: Mapping[str, Any]) -> dict[str, list[Any]]:
    return dict(_leaves(metadata, ""))


def _leaves(node: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, list[Any]]]:
    for key, value in node.items():
        path = prefix + key
        if isinstance(value, dict):
            yield from _leaves(value, path + ".")
        elif value is not None:
            yield path, [value]
            if isinstance(value, list):
                yield from _of_each(value, path + ".")


def _of_each(found: Sequence[Any], prefix: str) -> Iterator[tuple[str, list[Any]]]:
    together: dict[str, list[Any]] = {}
    for item in found:
        for path, values in _leaves(item, prefix) if isinstance(item, dict) else ():
            together.setdefault(path, []).extend(values)
    yield from together.items()


def filter_test(value: object, field: str = "filters") -> Test:
    """Raises Refusal for what is no filter."""
    return _Reader().node(value, field, 1) if value else lambda _: True


class _Reader:
    def __init__(self) -> None:
        self._conditions = 0

    def node(self, value: object, field: str, depth: int) -> Test:
        if not isinstance(value, dict) or not value:
            raise Refusal("invalid_filter", "must be an object with at least one key", field=field)
        if depth > MOST_DEPTH:
            raise Refusal("invalid_filter", f"nested deeper than {MOST_DEPTH}", field=field)
        tests = [test for key, item in value.items() for test in self._entry(key, item, f"{field}.{key}", depth)]
        return lambda flat: all(test(flat) for test in tests)

    def _entry(self, key: str, item: object, field: str, depth: int) -> list[Test]:
        if key == "not":
            inner = self.node(item, field, depth + 1)
            return [lambda flat: not inner(flat)]
        if key in ("and", "or"):
            if not isinstance(item, list) or not item:
                raise Refusal("invalid_filter", "must be a list of filters", field=field)
            parts = [self.node(part, f"{field}[{number}]", depth + 1) for number, part in enumerate(item)]
            if key == "and":
                return [lambda flat: all(part(flat) for part in parts)]
            return [lambda flat: any(part(flat) for part in parts)]
        is_condition = isinstance(item, dict) and item.keys() <= set(OPERATORS) and not key.startswith("$")
        if key.removeprefix("$").lower() in _ELSEWHERE and isinstance(item, dict | list) and not is_condition:
            raise Refusal("invalid_filter", "write 'and', 'or' or 'not'", field=field)
        tests = item if isinstance(item, dict) else {"eq": item}
        if not tests:
            raise Refusal("invalid_filter", "has no operator", field=field)
        return [self._condition(key, name, operand, f"{field}.{name}") for name, operand in tests.items()]

    def _condition(self, path: str, operator: str, operand: Any, field: str) -> Test:
        self._conditions += 1
        if self._conditions > MOST_CONDITIONS:
            raise Refusal("invalid_filter", f"more than {MOST_CONDITIONS} conditions", field=field)
        if operator not in OPERATORS:
            raise Refusal("invalid_filter", f"unknown operator; one of {', '.join(OPERATORS)}", field=field)
        positive = {"ne": "eq", "nin": "in"}.get(operator, operator)
        negated = positive != operator or (operator == "exists" and operand is False)
        test = _value_test(positive, _operand(operator, operand, field))
        return lambda flat: (path in flat and any(test(value) for value in flat[path])) != negated


def _operand(operator: str, operand: Any, field: str) -> Any:
    if operator in ("in", "nin"):
        if not isinstance(operand, list) or not 1 <= len(operand) <= 256:
            raise Refusal("invalid_filter", "must be a list of 1 to 256 values", field=field)
        return [_scalar(value, field) for value in operand]
    if operator == "exists" and not isinstance(operand, bool):
        raise Refusal("invalid_filter", "must be true or false", field=field)
    if operator in _ORDERED and isinstance(operand, bool):
        raise Refusal("invalid_filter", "must be a number or a string", field=field)
    return _scalar(operand, field)


def _scalar(value: Any, field: str) -> Any:
    if not isinstance(value, str | int | float):
        raise Refusal("invalid_filter", "must be a string, a number or a boolean", field=field)
    if isinstance(value, float) and not math.isfinite(value):
        raise Refusal("invalid_number", field=field)
    return value


def _value_test(operator: str, operand: Any) -> Callable[[Any], bool]:
    if operator == "exists":
        return lambda _: True
    if operator == "eq":
        return lambda value: not isinstance(value, list) and typed(value) == typed(operand)
    if operator == "in":
        among = set(map(typed, operand))
        return lambda value: not isinstance(value, list) and typed(value) in among
    if operator == "contains":
        return lambda value: (
            isinstance(value, list)
            and typed(operand) in {typed(item) for item in value if not isinstance(item, list | dict)}
        )
    test = _ORDERED[operator]
    return lambda value: _in_order(test, value, operand)


def _in_order(test: Callable[[Any, Any], bool], value: Any, operand: Any) -> bool:
    if isinstance(value, str) and isinstance(operand, str):
        moments = _instant(value), _instant(operand)
        return test(value, operand) if None in moments else test(*moments)
    (kind, number), (other_kind, other) = typed(value), typed(operand)
    return kind == other_kind == "number" and test(number, other)


def typed(value: Any) -> tuple[str, Any]:
    """The same for equal values, and different for 1, True and "1"."""
    if isinstance(value, bool):
        return "bool", value
    if isinstance(value, int | float):
        return "number", _decimal(value) if isinstance(value, float) else value
    return type(value).__name__, repr(value) if isinstance(value, list | dict) else value


def _decimal(number: float) -> int | float:
    """Beyond 2^53 a number is what its decimal digits say, as the service keeps it."""
    if -(2.0**53) < number < 2.0**53 or not -(2**63) <= number < 2**64:
        return number
    whole = int(Decimal(repr(number)))
    return whole if -(2**63) <= whole < 2**64 else number


def _instant(text: str) -> int | None:
    """Microseconds since 1970 of a timestamp with an offset."""
    if not _TIMESTAMP.fullmatch(text):
        return None
    try:
        return (datetime.fromisoformat(text.upper()) - _EPOCH) // timedelta(microseconds=1)
    except ValueError:
        return None
