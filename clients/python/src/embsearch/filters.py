"""Filters written with Python's operators: `(F.lang == "en") & (F.year >= 2020) & ~F.draft.exists()`.

They mean what docs/how-to/filter-a-search.md says; the service checks them.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

Scalar = str | int | float | bool
Operand = Scalar | datetime
"""A datetime must have an offset; it is sent as RFC 3339, and the service compares instants."""
_COMBINATIONS = ("and", "or", "not")
_NEGATIONS = {"eq": "ne", "ne": "eq", "in": "nin", "nin": "in"}


class Filter(ABC):
    """A condition on metadata, or a combination of conditions."""

    @abstractmethod
    def to_json(self) -> dict[str, Any]:
        """The filter as the service reads it."""

    def __and__(self, other: "Filter") -> "Filter":
        return _Combination("and", (*_parts(self, "and"), *_parts(other, "and")))

    def __or__(self, other: "Filter") -> "Filter":
        return _Combination("or", (*_parts(self, "or"), *_parts(other, "or")))

    def __invert__(self) -> "Filter":
        return _Negation(self)

    def __bool__(self) -> bool:
        raise TypeError("combine filters with & | ~ in parentheses, not with and, or, not or a chain like 1 < F.x < 5")


@dataclass(frozen=True)
class _Condition(Filter):
    path: str
    operator: str
    operand: Scalar | tuple[Scalar, ...]

    def to_json(self) -> dict[str, Any]:
        operand = list(self.operand) if isinstance(self.operand, tuple) else self.operand
        return {self.path: {self.operator: operand}}

    def __invert__(self) -> Filter:
        # A negated condition is one level less of the four that the service allows.
        if self.operator == "exists":
            return _Condition(self.path, "exists", not self.operand)
        negated = _NEGATIONS.get(self.operator)
        return _Condition(self.path, negated, self.operand) if negated else _Negation(self)


@dataclass(frozen=True)
class _Combination(Filter):
    kind: str
    parts: tuple[Filter, ...]

    def to_json(self) -> dict[str, Any]:
        return {self.kind: [part.to_json() for part in self.parts]}


@dataclass(frozen=True)
class _Negation(Filter):
    part: Filter

    def to_json(self) -> dict[str, Any]:
        return {"not": self.part.to_json()}

    def __invert__(self) -> Filter:
        return self.part


class Field:
    """A metadata field, by which conditions begin."""

    __slots__ = ("_path",)
    __hash__ = None  # type: ignore[assignment] # == gives a condition

    def __init__(self, path: str) -> None:
        if not path or path in _COMBINATIONS:
            raise ValueError(f"a filter cannot name a field {path!r}")
        self._path = path

    def __getattr__(self, name: str) -> "Field":
        if name.startswith("__"):
            raise AttributeError(name)
        return Field(f"{self._path}.{name}")

    def __getitem__(self, name: str) -> "Field":
        return Field(f"{self._path}.{name}")

    def __eq__(self, value: Operand) -> Filter:  # type: ignore[override]
        return _Condition(self._path, "eq", _scalar(value))

    def __ne__(self, value: Operand) -> Filter:  # type: ignore[override]
        return _Condition(self._path, "ne", _scalar(value))

    def __lt__(self, value: Operand) -> Filter:
        return _Condition(self._path, "lt", _scalar(value))

    def __le__(self, value: Operand) -> Filter:
        return _Condition(self._path, "lte", _scalar(value))

    def __gt__(self, value: Operand) -> Filter:
        return _Condition(self._path, "gt", _scalar(value))

    def __ge__(self, value: Operand) -> Filter:
        return _Condition(self._path, "gte", _scalar(value))

    def in_(self, values: Iterable[Operand]) -> Filter:
        """The field is one of the values."""
        return _Condition(self._path, "in", tuple(map(_scalar, values)))

    def not_in(self, values: Iterable[Operand]) -> Filter:
        """The field is none of the values, or absent."""
        return _Condition(self._path, "nin", tuple(map(_scalar, values)))

    def contains(self, value: Operand) -> Filter:
        """The field is a list that holds the value."""
        return _Condition(self._path, "contains", _scalar(value))

    def exists(self, is_there: bool = True) -> Filter:
        """The field is there, and not null."""
        return _Condition(self._path, "exists", is_there)


class _Fields:
    """`F.lang` and `F["author.name"]`. A field that is called like a method is F["contains"]."""

    def __getattr__(self, name: str) -> Field:
        if name.startswith("__"):
            raise AttributeError(name)
        return Field(name)

    def __getitem__(self, path: str) -> Field:
        return Field(path)


F = _Fields()
FilterLike = Filter | Mapping[str, Any] | None
"""A mapping has the form of the service already; None: no filter."""


def filter_json(chosen: FilterLike) -> dict[str, Any] | None:
    """The filter as the service reads it; a mapping is one already."""
    if chosen is None:
        return None
    return chosen.to_json() if isinstance(chosen, Filter) else dict(chosen)


def _parts(part: Filter, kind: str) -> tuple[Filter, ...]:
    """Those of the same combination, so that a & b & c is one level deep. Raises TypeError for what is no filter."""
    if not isinstance(part, Filter):
        raise TypeError(f"{part!r} is no filter; put parentheses around each comparison: (F.a == 1) & (F.b == 2)")
    return part.parts if isinstance(part, _Combination) and part.kind == kind else (part,)


def _scalar(value: object) -> Scalar:
    if isinstance(value, datetime):
        if value.utcoffset() is None:
            raise ValueError("a datetime in a filter needs an offset: datetime.now(UTC)")
        return value.isoformat()
    if isinstance(value, str | int | float):
        return value
    if value is None:
        raise TypeError("null is compared by .exists() and ~F.field.exists()")
    raise TypeError(f"a filter compares strings, numbers, booleans and datetimes, not {type(value).__name__}")
