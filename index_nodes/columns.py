"""Metadata by slot, as one column per field, and filters evaluated on them.

A filter that few documents can pass looks at no others. `filters.matches` is the oracle: every way must agree with it.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from embedding_project.contracts.filters import And, Condition, Filter, Not, Or, positive, to_wire
from index_nodes.collection_state import ColumnState
from index_nodes.column import USUAL_COSTS, Column, Conditions, FilterCosts, Mask, one_test
from index_nodes.passing_values import PassingValues
from index_nodes.postings import Slots, distinct
from index_nodes.sorted_values import Codes

KnownValues = dict[str, PassingValues]
"""Of the conditions of one filter, while it is tested; by their JSON, which tells 1 from true."""
_NO_SLOTS = np.empty(0, np.int32)


class Few(NamedTuple):
    """A part of a filter that few slots pass."""

    slots: int
    """At most so many."""
    parts: tuple[tuple[Column, Codes], ...]
    """Codes of columns; each of these slots has one of them."""


class Columns:
    """All fields of one collection."""

    def __init__(self, capacity: int, costs: FilterCosts = USUAL_COSTS) -> None:
        self.capacity = capacity
        self._costs = costs
        self._columns: dict[str, Column] = {}

    def grow(self, capacity: int) -> None:
        self.capacity = capacity
        for column in self._columns.values():
            column.grow(capacity)

    def capture(self, count: int) -> dict[str, ColumnState]:
        """A copy of every field, for the first `count` slots."""
        return {path: column.capture(count) for path, column in self._columns.items()}

    def capture_one(self, path: str, count: int) -> ColumnState:
        """The same of one field; one without values for a field that no document has."""
        column = self._columns.get(path)
        return column.capture(count) if column else ColumnState(codes=np.full(count, -1, np.int32), values=[])

    def restore(self, states: Mapping[str, ColumnState]) -> None:
        """Fill a collection that has no fields. Raises ValueError."""
        for path, state in states.items():
            column = self._columns[path] = Column(self.capacity, self._costs)
            column.restore(state)

    def adopt(
        self, first_slot: int, piece: slice, states: Mapping[str, ColumnState], known: Mapping[str, Codes]
    ) -> None:
        """Take over the fields of a piece of other slots, for slots from `first_slot` on that have none. `known`: see
        `Column.adopt`, by field."""
        for path, state in states.items():
            column = self._columns.get(path)
            if column is None:
                column = self._columns[path] = Column(self.capacity, self._costs)
            column.adopt(first_slot + piece.start, state.codes[piece], state.values, known[path])

    def set_row(self, slot: int, flat: Mapping[str, Any]) -> None:
        """Make `flat` the metadata of `slot`, in place of all that the slot had before."""
        for path, value in flat.items():
            column = self._columns.get(path)
            if column is None:
                column = self._columns[path] = Column(self.capacity, self._costs)
            column.set(slot, value)
        for path, column in self._columns.items():
            if path not in flat:
                column.clear(slot)

    def few(self, node: Filter, count: int) -> Slots | None:
        """Those of the first `count` slots that pass the filter, found without a look at the others; None when they may
        be so many that a mask costs less."""
        found = self._fewest(node, min(self._costs.few_slots, count // self._costs.slots_per_look))
        if found is None:
            return None
        parts = [column.slots(codes) for column, codes in found.parts]
        candidates = parts[0] if len(parts) == 1 else distinct(np.concatenate([_NO_SLOTS, *parts]))
        return candidates[self._mask(node, candidates, len(candidates), None)]

    def mask(self, node: Filter, stop: int, start: int = 0, known: KnownValues | None = None) -> Mask:
        """Which of the slots from `start` to `stop` pass the filter. Slots of deleted documents have no metadata.
        `known`: kept from one piece of the slots to the next."""
        return self._mask(node, slice(start, stop), stop - start, {} if known is None else known)

    def passing(self, node: Filter, slots: Slots) -> Mask:
        """Which of these slots pass the filter. They should be few."""
        return self._mask(node, slots, len(slots), None)

    def _fewest(self, node: Filter, few: int) -> Few | None:
        if isinstance(node, Not):
            return None
        if isinstance(node, Condition):
            condition, negated = positive(node)
            return None if negated else self._few_of((condition,), few)
        if isinstance(node, And):
            tests, others = _tests_of(node)
            parts = [self._few_of(test, few) for test in tests] + [self._fewest(part, few) for part in others]
            return min((part for part in parts if part is not None), key=lambda part: part.slots, default=None)
        parts = [self._fewest(part, few) for part in node.parts]
        known = [part for part in parts if part is not None]
        together = Few(sum(part.slots for part in known), tuple(pair for part in known for pair in part.parts))
        return together if len(known) == len(parts) and together.slots <= few else None

    def _few_of(self, conditions: Conditions, few: int) -> Few | None:
        column = self._columns.get(conditions[0].path)
        if column is None:
            return Few(0, ())
        codes = column.few(conditions, few)
        return None if codes is None else Few(column.uses(codes), ((column, codes),))

    def _mask(self, node: Filter, slots: slice | Slots, count: int, known: KnownValues | None) -> Mask:
        if isinstance(node, And):
            tests, others = _tests_of(node)
            masks = [self._mask_of(test, slots, count, known) for test in tests]
            masks += [self._mask(part, slots, count, known) for part in others]
            return np.asarray(np.logical_and.reduce(masks), np.bool_)
        if isinstance(node, Or):
            masks = [self._mask(part, slots, count, known) for part in node.parts]
            return np.asarray(np.logical_or.reduce(masks), np.bool_)
        if isinstance(node, Not):
            return ~self._mask(node.part, slots, count, known)
        condition, negated = positive(node)
        found = self._mask_of((condition,), slots, count, known)
        return ~found if negated else found

    def _mask_of(self, conditions: Conditions, slots: slice | Slots, count: int, known: KnownValues | None) -> Mask:
        column = self._columns.get(conditions[0].path)
        if column is None:
            return np.zeros(count, np.bool_)
        if known is None or conditions[0].operator == "exists":
            return column.mask(conditions, slots)
        wire = to_wire(And(conditions))
        if wire not in known:
            known[wire] = column.passing(conditions)
        return column.mask(conditions, slots, known[wire])


def _tests_of(node: And) -> tuple[list[Conditions], list[Filter]]:
    """The ranges among the parts, those that one look can answer together, and the other parts."""
    tests: list[Conditions] = []
    others: list[Filter] = []
    for part in node.parts:
        if not isinstance(part, Condition) or not one_test((part,)):
            others.append(part)
            continue
        place = next((place for place, test in enumerate(tests) if one_test((*test, part))), None)
        if place is None:
            tests.append((part,))
        else:
            tests[place] = (*tests[place], part)
    return tests, others
