"""Haystack's filters as those of the service."""

from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from functools import reduce
from operator import and_, ge, gt, le, lt, or_
from typing import Any

from haystack.errors import FilterError

from embsearch.filters import Field, Filter

_ORDERED: dict[str, Callable[[Field, Any], Any]] = {">": gt, ">=": ge, "<": lt, "<=": le}
_PARTS_OF_DOCUMENTS = {"id", "content", "blob", "score", "embedding", "sparse_embedding"}


def service_filter(filters: Mapping[str, Any] | None) -> Filter | None:
    """None for no filter. Raises FilterError."""
    if not filters:
        return None
    try:
        return _node(filters)
    except (TypeError, ValueError) as error:
        raise FilterError(str(error)) from error


def metadata_field(name: str) -> str:
    """Haystack writes `meta.lang` and `lang`. Raises FilterError for what is no metadata."""
    if name in _PARTS_OF_DOCUMENTS:
        raise FilterError(f"the service filters by metadata, not by {name!r}")
    return name.removeprefix("meta.")


def _node(node: object) -> Filter:
    if not isinstance(node, Mapping):
        raise FilterError(f"a filter is a dictionary, not {type(node).__name__}")
    if "field" in node:
        return _comparison(node)
    operator, conditions = _of(node, "operator"), _of(node, "conditions")
    if not isinstance(conditions, Sequence) or isinstance(conditions, str) or not conditions:
        raise FilterError("'conditions' must be a list of filters")
    parts = [_node(part) for part in conditions]
    if operator == "AND":
        return reduce(and_, parts)
    if operator == "OR":
        return reduce(or_, parts)
    if operator == "NOT":
        return ~reduce(and_, parts)
    raise FilterError(f"{operator!r} combines no filters; AND, OR and NOT do")


def _of(node: Mapping[str, Any], name: str) -> Any:
    if name not in node:
        raise FilterError(f"{name!r} is missing in {dict(node)}")
    return node[name]


def _comparison(node: Mapping[str, Any]) -> Filter:
    field = Field(metadata_field(_of(node, "field")))
    operator, value = _of(node, "operator"), _of(node, "value")
    if operator in _ORDERED:
        return _ordered(field, operator, value)
    if operator in ("in", "not in"):
        return _among(field, value) if operator == "in" else ~_among(field, value)
    if operator not in ("==", "!="):
        raise FilterError(f"there is no operator {operator!r}")
    if value is None:
        return field.exists(operator == "!=")
    test: Filter = field == value if operator == "==" else field != value
    return test


def _ordered(field: Field, operator: str, value: Any) -> Filter:
    if value is None:
        return _nothing(field)
    if isinstance(value, bool) or not isinstance(value, int | float | date | str):
        raise FilterError(f"{operator} compares numbers and dates, not {type(value).__name__}")
    if isinstance(value, str) and not _is_date(value):
        raise FilterError(f"{operator} compares numbers and dates of ISO 8601, not {value!r}")
    plain = value.isoformat() if isinstance(value, date) and not isinstance(value, datetime) else value
    test: Filter = _ORDERED[operator](field, plain)
    return test


def _is_date(value: str) -> bool:
    try:
        datetime.fromisoformat(value)
    except ValueError:
        return False
    return True


def _among(field: Field, values: Any) -> Filter:
    """`None` among the values stands for an absent field."""
    if not isinstance(values, list):
        raise FilterError(f"'in' and 'not in' need a list, not {type(values).__name__}")
    there = [value for value in values if value is not None]
    tests = [field.in_(there)] if there else []
    if len(there) < len(values):
        tests.append(field.exists(False))
    return reduce(or_, tests) if tests else _nothing(field)


def _nothing(field: Field) -> Filter:
    return field.exists() & field.exists(False)
