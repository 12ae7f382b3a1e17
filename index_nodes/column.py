"""One metadata field of all slots, as codes of its distinct values.

A condition finds the distinct values that pass without a test of each value; a look-up by code then gives the answer
for each document. Or else the postings of these codes give the slots that have them.
"""

import json
from array import array
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from weakref import ref

import numpy as np
from numpy.typing import NDArray

from embedding_project.contracts.filters import Condition, holds, typed
from embedding_project.contracts.instants import instant
from index_nodes.collection_state import ColumnState
from index_nodes.passing_values import PassingValues
from index_nodes.postings import Postings, Slots
from index_nodes.sorted_values import Bound, Codes, SortedValues

Mask = NDArray[np.bool_]
_ABSENT = -1
RANGES = ("gt", "gte", "lt", "lte")
Conditions = tuple[Condition, ...]
"""A positive condition; or ranges that must all hold, see `one_test`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FilterCosts:
    few_slots: int = 4_096
    """A filter that passes no more slots than this may be evaluated on these alone,"""
    slots_per_look: int = 64
    """unless the collection has less than so many slots for each: a mask over these costs as much as a look at one."""
    values_per_test: int = 1_000
    """To fill a table with so many values costs about as much as to test one of them: about 3 us."""


USUAL_COSTS = FilterCosts()


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


def _places(condition: Condition) -> dict[str, Any]:
    """The orders in which the operand of a range stands, with its place there."""
    operator, operand = condition.operator, condition.operand
    if not isinstance(operand, str):
        return {"number": operand}
    moment = instant(operand)
    if moment is None:
        return {"str": operand, "timestamp": operand}
    # A place without a text stands before all texts of its instant.
    return {"str": operand, "instant": (moment + 1,) if operator in ("gt", "lte") else (moment,)}


def one_test(conditions: Sequence[Condition]) -> bool:
    """Whether one look finds what passes all of these conditions: ranges of one field and one order."""
    ranges = all(condition.operator in RANGES for condition in conditions)
    return ranges and len({(condition.path, *_places(condition)) for condition in conditions}) == 1


def _among(codes: Codes, wanted: Codes) -> Mask:
    """Which of the codes are in `wanted`, which is in rising order."""
    if not len(wanted):
        return np.zeros(len(codes), np.bool_)
    places = np.minimum(np.searchsorted(wanted, codes), len(wanted) - 1)
    found: Mask = wanted[places] == codes
    return found


class Column:
    """The values of one field. The code of a value that no document has any more is used again."""

    def __init__(self, capacity: int, costs: FilterCosts) -> None:
        self._costs = costs
        self._postings = Postings(costs.few_slots)
        self._codes = np.full(capacity, _ABSENT, np.int32)
        self._values: list[Any] = []
        self._uses = array("i")
        self._free: list[int] = []
        self._code_of: dict[tuple[str, object], int] = {}
        self._ordered = {kind: SortedValues() for kind in ("number", "str", "timestamp", "instant")}
        """Values that have an order: numbers, strings, and timestamps both as strings and as instants."""
        self._several: set[int] = set()
        """Codes that stand for several values: those of a field in the objects of a list."""
        self._containing: dict[tuple[str, object], set[int]] = {}
        """Element -> codes of the lists that contain it."""
        self._followers: list[ref[PassingValues]] = []

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
        self._postings.add(code, slot, self._uses[code], self._codes)
        self._release(before)

    def clear(self, slot: int) -> None:
        before = int(self._codes[slot])
        self._codes[slot] = _ABSENT
        self._release(before)

    def adopt(self, first_slot: int, codes: Codes, values: Sequence[Any], known: Codes) -> None:
        """Take over codes of another column for slots without a value. `values` are those of the other column's codes;
        `known` has this column's code for each of them, -1 until it is known: each value is looked up once."""
        present = np.flatnonzero(codes != _ABSENT).astype(np.int32)
        if not len(present):
            return
        order = present[np.argsort(codes[present], kind="stable")]
        theirs, starts = np.unique(codes[order], return_index=True)
        for code, places in zip(theirs.tolist(), np.split(order, starts[1:]), strict=True):
            if known[code] == _ABSENT:
                key = _key(values[code])
                own = self._code_of.get(key)
                known[code] = self._add(key, values[code]) if own is None else own
            own, slots = int(known[code]), first_slot + places
            self._uses[own] += len(slots)
            self._codes[slots] = own
            self._postings.add_all(own, slots, self._uses[own], self._codes)

    def capture(self, count: int) -> ColumnState:
        return ColumnState(codes=self._codes[:count].copy(), values=self._values.copy())

    def restore(self, state: ColumnState) -> None:
        """Fill an empty column. Raises ValueError when the codes do not fit the values."""
        codes, count = state.codes, len(state.values)
        if len(codes) and not (codes.min() >= _ABSENT and codes.max() < count):
            raise ValueError("a slot has a code without a value")
        self._codes[: len(codes)] = codes
        self._values = [None] * count
        uses = np.bincount(codes[codes != _ABSENT], minlength=count)
        self._uses = array("i", uses.astype(np.int32).tobytes())
        self._postings.restore(codes, uses)
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

    def passing(self, conditions: Conditions) -> PassingValues:
        """The values that pass `conditions`, for any number of masks."""
        found = PassingValues(conditions, len(self._values), self._passing(conditions))
        self._followers = [follower for follower in self._followers if follower() is not None] + [ref(found)]
        return found

    def mask(self, conditions: Conditions, slots: slice | Slots, known: PassingValues | None = None) -> Mask:
        """Which of the slots have a value that passes `conditions`. Slots that are given one by one should be few.
        `known`: the values that pass, where they are known."""
        codes = self._codes[slots]
        if conditions[0].operator == "exists":
            return np.asarray(codes != _ABSENT)
        if isinstance(slots, np.ndarray):
            few = self.few(conditions, self._costs.few_slots)
            if few is not None:
                return _among(codes, np.sort(few))
            if self._costs.values_per_test * len(codes) < len(self._values):
                return self._test_each(conditions, codes)
        return (known or PassingValues(conditions, len(self._values), self._passing(conditions))).of(codes)

    def few(self, conditions: Conditions, few: int) -> Codes | None:
        """The codes that pass `conditions`; None when more than `few` slots have them, or it takes long to tell."""
        operator, operand = conditions[0].operator, conditions[0].operand
        least = len(self._several)
        if operator == "exists":
            least += len(self._code_of)
        elif operator == "contains":
            least += len(self._containing.get(typed(operand), ()))
        elif operator in RANGES:
            least += sum(values.at_most(*bounds) for values, bounds in self._bounds(conditions))
        if least > few:
            return None
        codes = self._passing(conditions)
        return codes if self.uses(codes) <= few else None

    def uses(self, codes: Codes) -> int:
        """How many slots have one of these codes."""
        return int(np.frombuffer(self._uses, np.int32)[codes].sum()) if len(codes) else 0

    def slots(self, codes: Codes) -> Slots:
        """The slots that have one of these codes, and perhaps some others."""
        return self._postings.slots(codes, self._codes)

    def _passing(self, conditions: Conditions) -> Codes:
        operator, operand = conditions[0].operator, conditions[0].operand
        if operator == "exists":
            return np.fromiter(self._code_of.values(), np.int32, len(self._code_of))
        if operator in RANGES:
            found = [values.range(*bounds) for values, bounds in self._bounds(conditions)]
        elif operator == "contains":
            containing = self._containing.get(typed(operand), ())
            found = [np.fromiter(containing, np.int32, len(containing))]
        else:
            operands = operand if operator == "in" else (operand,)
            codes = {self._code_of[key] for key in map(typed, operands) if key in self._code_of}
            found = [np.fromiter(codes, np.int32, len(codes))]
        several = [code for code in self._several if self._holds(conditions, code)]
        return np.concatenate([*found, np.array(several, np.int32)])

    def _test_each(self, conditions: Conditions, codes: Codes) -> Mask:
        distinct, places = np.unique(codes, return_inverse=True)
        tested = [code != _ABSENT and self._holds(conditions, code) for code in distinct.tolist()]
        return np.array(tested, np.bool_)[places]

    def _holds(self, conditions: Conditions, code: int) -> bool:
        return all(holds(condition, self._values[code]) for condition in conditions)

    def _bounds(self, conditions: Conditions) -> Iterator[tuple[SortedValues, list[Bound]]]:
        """The values among which the operands of the ranges stand, and their places there."""
        places = [_places(condition) for condition in conditions]
        for kind in places[0]:
            bounds = [(one.operator, place[kind]) for one, place in zip(conditions, places, strict=True)]
            yield self._ordered[kind], bounds

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
        for follower in self._followers:
            if passing := follower():
                passing.note(code, value)

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
        self._postings.forget(code)


def _elements(value: object) -> set[tuple[str, object]]:
    if not isinstance(value, list):
        return set()
    return {typed(item) for item in value if not isinstance(item, list | dict)}
