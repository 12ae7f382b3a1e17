"""What a census counts in a view: the documents that were selected, and the values that they have at a path."""

from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from embedding_project.contracts.census import MOST_VALUES, Census, DocumentKeys, Value, scalars_of
from index_nodes.collection_state import ColumnState
from index_nodes.collection_view import CollectionView
from index_nodes.columns import Columns
from index_nodes.slots import SlotTable

_NOBODY = -1


class SlotValues(NamedTuple):
    """The values of one field by slot, and whose they are. They may be younger than a view."""

    column: ColumnState
    owners: NDArray[np.int64]
    """Document key of each slot."""

    @classmethod
    def of(cls, columns: Columns, slots: SlotTable, path: str) -> "SlotValues":
        count = slots.count
        owners = np.where(slots.stamps[:count] >= 0, slots.document_keys[:count], _NOBODY)
        return cls(columns.capture_one(path, count), owners)


def count_documents(view: CollectionView, others: DocumentKeys) -> int:
    """How many documents the view has but `others`, which are in rising order."""
    if not len(others):
        return sum(segment.selection.count for segment in view.segments)
    return sum(len(slots) for slots, _ in _selected(view, others))


def count_values(view: CollectionView, values: SlotValues, others: DocumentKeys) -> Census | None:
    """The same with the values of these documents; None when the values are too many."""
    count, uses = 0, np.zeros(len(values.column.values), np.int64)
    for slots, keys in _selected(view, others):
        count += len(slots)
        # A document that is gone meanwhile, or has another slot, has no values any more.
        codes = values.column.codes[slots[values.owners[slots] == keys]]
        uses += np.bincount(codes[codes >= 0], minlength=len(uses))
    used = np.flatnonzero(uses)
    if len(used) > MOST_VALUES:
        return None
    counts: Counter[tuple[str, Value]] = Counter()
    for code in used.tolist():
        for scalar in scalars_of(values.column.values[code]):
            counts[scalar] += int(uses[code])
    return Census(count=count, values=dict(counts)) if len(counts) <= MOST_VALUES else None


def _selected(view: CollectionView, others: DocumentKeys) -> Iterator[tuple[NDArray[np.int32], DocumentKeys]]:
    """The slots and the keys of the selected documents, by segment."""
    for segment in view.segments:
        rows = segment.selection.rows()
        keys = segment.table.document_keys[rows]
        if len(others):
            kept = ~_among(keys, others)
            rows, keys = rows[kept], keys[kept]
        yield segment.segment.rows.slots[rows], keys


def _among(keys: DocumentKeys, others: DocumentKeys) -> NDArray[np.bool_]:
    places = np.minimum(np.searchsorted(others, keys), len(others) - 1)
    found: NDArray[np.bool_] = others[places] == keys
    return found
