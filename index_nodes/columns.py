"""Metadata by slot, as one dictionary-coded column per field, and filters evaluated on it.

A filter finds the distinct values that pass without a test of each value; a look-up by code then gives the answer for
each document. `filters.matches` is the oracle: both must agree.
"""

import json
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from embedding_project.contracts.filters import And, Condition, Filter, Not, Or, holds, positive, typed
from embedding_project.contracts.instants import instant
from index_nodes.collection_state import ColumnState
from index_nodes.sorted_values import Codes, SortedValues

Mask = NDArray[np.bool_]
_ABSENT = -1


def _key(value: object) -> tuple[str, object]:
    # A list can hold unhashable values, so its JSON stands for it; a tag of its own keeps it apart from strings.
    return (type(value).__name__, json.dumps(value)) if isinstance(value, list | dict) else typed(value)


def _orders(key: tuple[str, object]) -> Iterator[tuple[str, object]]:
    """Every order in which the value of a key stands, with its place there."""
    kind, value = key
    if kind == "number":
        yield kind, value
    elif kind == "str" and isinstance(value, str):
        moment = instant(value)
        yield ("str" if moment is None else "timestamp"), value
        if moment is not None:
            # Several texts may name one instant.
            yield "instant", (moment, value)


class Column:
    """The values of one field. The code of a value that no document has any more is used again."""

    def __init__(self, capacity: int) -> None:
        self._codes = np.full(capacity, _ABSENT, np.int32)
        self._values: list[Any] = []
        self._uses: list[int] = []
        self._free: list[int] = []
        self._code_of: dict[tuple[str, object], int] = {}
        self._ordered = {kind: SortedValues() for kind in ("number", "str", "timestamp", "instant")}
        """Values that have an order: numbers, strings, and timestamps both as strings and as instants."""
        self._several: set[int] = set()
        """Codes that stand for several values: those of a field in the objects of a list."""
        self._containing: dict[tuple[str, object], set[int]] = {}
        """Element -> codes of the lists that contain it."""

    def grow(self, capacity: int) -> None:
        added = np.full(capacity - len(self._codes), _ABSENT, np.int32)
        self._codes = np.concatenate([self._codes, added])

    def set(self, slot: int, value: Any) -> None:
        key = _key(value)
        code = self._code_of.get(key)
        before = int(self._codes[slot])
        if code is not None and code == before:
            return
        if code is None:
            code = self._add(key, value)
        self._uses[code] += 1
        self._codes[slot] = code
        self._release(before)

    def clear(self, slot: int) -> None:
        before = int(self._codes[slot])
        self._codes[slot] = _ABSENT
        self._release(before)

    def capture(self, count: int) -> ColumnState:
        return ColumnState(codes=self._codes[:count].copy(), values=self._values.copy())

    def restore(self, state: ColumnState) -> None:
        """Fill an empty column. Raises ValueError when the codes do not fit the values."""
        codes, count = state.codes, len(state.values)
        if len(codes) and not (codes.min() >= _ABSENT and codes.max() < count):
            raise ValueError("a slot has a code without a value")
        self._codes[: len(codes)] = codes
        self._values = [None] * count
        self._uses = np.bincount(codes[codes != _ABSENT], minlength=count).tolist()
        for code, value in enumerate(state.values):
            if self._uses[code]:
                self._register(code, _key(value), value)
            else:
                self._free.append(code)
        if len(self._code_of) + len(self._free) != count:
            raise ValueError("two codes have one value")
        places: defaultdict[str, dict[object, int]] = defaultdict(dict)
        for key, code in self._code_of.items():
            for kind, place in _orders(key):
                places[kind][place] = code
        for kind, found in places.items():
            self._ordered[kind].update(found)

    def mask(self, condition: Condition, count: int) -> Mask:
        """Which of the first `count` slots have a value that passes `condition`, which must be positive."""
        # The last entry answers for absent values, whose code is -1.
        table = np.zeros(len(self._values) + 1, np.bool_)
        table[self._passing(condition)] = True
        found: Mask = table[self._codes[:count]]
        return found

    def _passing(self, condition: Condition) -> Codes | slice:
        operator, operand = condition.operator, condition.operand
        if operator == "exists":
            return slice(len(self._values))
        if operator == "contains":
            codes: Collection[int] = self._containing.get(typed(operand), ())
        elif operator in ("eq", "in"):
            operands = operand if operator == "in" else (operand,)
            codes = [self._code_of[key] for key in map(typed, operands) if key in self._code_of]
        else:
            return np.concatenate([self._in_range(operator, operand), self._tested(condition)])
        return np.concatenate([np.fromiter(codes, np.int32, len(codes)), self._tested(condition)])

    def _tested(self, condition: Condition) -> Codes:
        codes = [code for code in self._several if holds(condition, self._values[code])]
        return np.array(codes, np.int32)

    def _in_range(self, operator: str, operand: Any) -> Codes:
        if not isinstance(operand, str):
            return self._ordered["number"].range(operator, operand)
        moment = instant(operand)
        strings = self._ordered["str"].range(operator, operand)
        if moment is None:
            return np.concatenate([strings, self._ordered["timestamp"].range(operator, operand)])
        # A place without a text stands before all texts of its instant.
        place = (moment + 1,) if operator in ("gt", "lte") else (moment,)
        return np.concatenate([strings, self._ordered["instant"].range(operator, place)])

    def _add(self, key: tuple[str, object], value: Any) -> int:
        if self._free:
            code = self._free.pop()
        else:
            code = len(self._values)
            self._values.append(None)
            self._uses.append(0)
        self._register(code, key, value)
        for kind, place in _orders(key):
            self._ordered[kind].add(place, code)
        return code

    def _register(self, code: int, key: tuple[str, object], value: Any) -> None:
        self._values[code] = value
        self._code_of[key] = code
        if isinstance(value, dict):
            self._several.add(code)
        for element in _elements(value):
            self._containing.setdefault(element, set()).add(code)

    def _release(self, code: int) -> None:
        if code == _ABSENT:
            return
        self._uses[code] -= 1
        if self._uses[code]:
            return
        value = self._values[code]
        for element in _elements(value):
            codes = self._containing[element]
            codes.discard(code)
            if not codes:
                del self._containing[element]
        self._several.discard(code)
        key = _key(value)
        del self._code_of[key]
        for kind, place in _orders(key):
            self._ordered[kind].remove(place, code)
        self._values[code] = None
        self._free.append(code)


def _elements(value: object) -> set[tuple[str, object]]:
    if not isinstance(value, list):
        return set()
    return {typed(item) for item in value if not isinstance(item, list | dict)}


class Columns:
    """All fields of one collection."""

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self._columns: dict[str, Column] = {}

    def grow(self, capacity: int) -> None:
        self.capacity = capacity
        for column in self._columns.values():
            column.grow(capacity)

    def capture(self, count: int) -> dict[str, ColumnState]:
        """A copy of every field, for the first `count` slots."""
        return {path: column.capture(count) for path, column in self._columns.items()}

    def restore(self, states: Mapping[str, ColumnState]) -> None:
        """Fill a collection that has no fields. Raises ValueError."""
        for path, state in states.items():
            column = self._columns[path] = Column(self.capacity)
            column.restore(state)

    def set_row(self, slot: int, flat: Mapping[str, Any]) -> None:
        """Make `flat` the metadata of `slot`, in place of all that the slot had before."""
        for path, value in flat.items():
            column = self._columns.get(path)
            if column is None:
                column = self._columns[path] = Column(self.capacity)
            column.set(slot, value)
        for path, column in self._columns.items():
            if path not in flat:
                column.clear(slot)

    def mask(self, node: Filter, count: int) -> Mask:
        """Which of the first `count` slots pass the filter. Slots of deleted documents have no metadata."""
        if isinstance(node, And | Or):
            masks = [self.mask(part, count) for part in node.parts]
            combined = (np.logical_and if isinstance(node, And) else np.logical_or).reduce(masks)
            return np.asarray(combined, np.bool_)
        if isinstance(node, Not):
            return ~self.mask(node.part, count)
        condition, negated = positive(node)
        column = self._columns.get(condition.path)
        found = column.mask(condition, count) if column else np.zeros(count, np.bool_)
        return ~found if negated else found
