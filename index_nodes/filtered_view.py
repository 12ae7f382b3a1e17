"""A view of many documents under a filter, made piece by piece: the index is locked for a piece, not for all of them.

Rows are those of the moment when the view was begun. Whether the document of a row passes is read later, so a document
that changes meanwhile is judged by its metadata before or after the change, never by a mixture of both. When its text
changes too, it may be found by the old vector and the new metadata: nobody sees that hit, since the sender drops hits
of an old text. A slot may go to another document meanwhile, so each piece also reads whose slots they are.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from embedding_project.contracts.filters import Filter
from index_nodes.collection_view import CollectionView, SegmentView
from index_nodes.columns import Columns, KnownValues
from index_nodes.merge_job import Segment
from index_nodes.row_bits import Mask, RowBits
from index_nodes.selections import MarkedRows, Selection
from index_nodes.slots import SlotTable

_NOBODY = -1


class _Rows(NamedTuple):
    view: SegmentView
    """With the rows that were live."""
    slots: NDArray[np.int32]


class FilteredView:
    """Begun, and tested piece by piece, under the lock of the index; completed without it."""

    def __init__(
        self, node: Filter, segments: Sequence[Segment], columns: Columns, slots: SlotTable, moment: int, position: int
    ) -> None:
        self.position = position
        """Among the changes of the collection, when the view was begun."""
        self._node = node
        self._rows = [
            _Rows(SegmentView.of(segment, segment.rows.live_selection(moment)), segment.rows.slots)
            for segment in segments
        ]
        self._columns = columns
        self._slots = slots
        self._count = slots.count
        self._known: KnownValues = {}
        self._passing: list[Mask] = []
        self._owners: list[NDArray[np.int64]] = []

    def pieces(self, size: int) -> Sequence[slice]:
        """Of the slots; of so many, but the last one."""
        return [slice(start, min(start + size, self._count)) for start in range(0, max(self._count, 1), size)]

    def test(self, piece: slice) -> None:
        """For each piece, in their order."""
        self._passing.append(self._columns.mask(self._node, piece.stop, piece.start, self._known))
        keys, stamps = self._slots.document_keys[piece], self._slots.stamps[piece]
        self._owners.append(np.where(stamps >= 0, keys, _NOBODY))

    def completed(self) -> CollectionView:
        """When every piece is tested."""
        passing, owners = np.concatenate(self._passing), np.concatenate(self._owners)
        return CollectionView(
            tuple(
                SegmentView(view.segment, view.table, _selected(view, slots, passing, owners))
                for view, slots in self._rows
            )
        )


def _selected(view: SegmentView, slots: NDArray[np.int32], passing: Mask, owners: NDArray[np.int64]) -> Selection:
    mask = passing[slots]
    mask &= view.selection.mask()
    mask &= owners[slots] == view.table.document_keys
    return MarkedRows(RowBits.of(mask))
