"""Filtered views that are kept while documents change: only what changed since then is tested again.

To test a filter on a million documents takes tens of milliseconds, and a namespace that clients write to changes
between any two searches. A copy of which rows passed, mended where documents changed, costs little.
"""

from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from embedding_project.contracts.filters import Filter, from_wire
from index_nodes.collection_view import CollectionView, SegmentView
from index_nodes.columns import Columns
from index_nodes.merge_job import Segment
from index_nodes.row_bits import RowBits
from index_nodes.selections import MarkedRows
from index_nodes.slots import SlotTable

MOST_VIEWS = 32
MOST_CHANGES = 4_096
"""A view that is not asked for during so many, and at least during half of them, is made anew."""
_SLOT = 0
"""In place of the serial of a segment, which are from 1 on."""


@dataclass(frozen=True, slots=True)
class _Kept:
    node: Filter
    rows: Mapping[int, RowBits]
    """By serial of a segment: which of the rows that it had passed. Without one, none did."""
    position: int
    """Changes before this one are in them."""


class KeptViews:
    """Of one collection. Under the lock of the index."""

    def __init__(self, most_changes: int = MOST_CHANGES) -> None:
        self._most_changes = most_changes
        self._now: dict[str, CollectionView] = {}
        """Of this moment, by filter."""
        self._kept: dict[str, _Kept] = {}
        self._changes = array("q")
        """Serial and number of each row that died, and each slot whose document changed, one after the other."""
        self._first = 0
        """Changes before those that are noted."""
        self._noted = False
        """Whether anybody may ask for changes."""

    def now(self, wire: str, segments: Sequence[Segment], columns: Columns, slots: SlotTable) -> CollectionView | None:
        """The view of this moment, if there is one or one that can be mended."""
        view = self._now.get(wire)
        kept = self._kept.pop(wire, None) if view is None else None
        if kept is None:
            return view
        view = self.show(wire, self._mended(kept, segments, columns, slots))
        self._kept[wire] = _Kept(kept.node, _rows(view), self.begin())
        return view

    def show(self, wire: str, view: CollectionView) -> CollectionView:
        """Until the next change."""
        self._now[wire] = view
        if len(self._now) > MOST_VIEWS:
            del self._now[next(iter(self._now))]
        return view

    def end_moment(self) -> None:
        """Something changes now."""
        self._now.clear()

    def begin(self) -> int:
        """Note changes from now on; gives the position of a view that is begun now."""
        self._noted = True
        return self._first + self._count

    def note_death(self, serial: int, row: int) -> None:
        self._note(serial, row)

    def note_change(self, slot: int) -> None:
        """When everything about the document of the slot is as it is now."""
        self._note(_SLOT, slot)

    def clear(self) -> None:
        """After segments came or went."""
        self._first += self._count + 1
        self._now.clear()
        self._kept.clear()
        del self._changes[:]
        self._noted = False

    def keep(self, wire: str, view: CollectionView, position: int) -> None:
        """Keep what was begun at a position, unless later changes are forgotten."""
        if position < self._first:
            return
        self._kept[wire] = _Kept(from_wire(wire), _rows(view), position)
        if len(self._kept) > MOST_VIEWS:
            del self._kept[next(iter(self._kept))]

    def _mended(self, kept: _Kept, segments: Sequence[Segment], columns: Columns, slots: SlotTable) -> CollectionView:
        changes = np.array(self._changes[2 * (kept.position - self._first) :], np.int64).reshape(-1, 2)
        died = changes[changes[:, 0] != _SLOT]
        changed = np.unique(changes[changes[:, 0] == _SLOT, 1])
        changed = changed[slots.stamps[changed] >= 0].astype(np.int32)
        passing = columns.passing(kept.node, changed)
        views = []
        for segment in segments:
            known = kept.rows.get(segment.serial, RowBits.none())
            gone = died[died[:, 0] == segment.serial, 1]
            here = slots.segments[changed] == segment.serial
            rows = np.concatenate([gone, slots.rows[changed[here]]])
            marks = np.concatenate([np.zeros(len(gone), np.bool_), passing[here]])
            views.append(SegmentView.of(segment, MarkedRows(known.mended(segment.rows.count, rows, marks))))
        return CollectionView(tuple(views))

    def _note(self, serial: int, number: int) -> None:
        if not self._noted:
            return
        self._changes.extend((serial, number))
        if self._count <= self._most_changes:
            return
        gone = self._most_changes // 2
        del self._changes[: 2 * gone]
        self._first += gone
        self._kept = {wire: kept for wire, kept in self._kept.items() if kept.position >= self._first}
        if not self._kept:
            self._first += self._count
            del self._changes[:]
            self._noted = False

    @property
    def _count(self) -> int:
        """Of the changes that are noted."""
        return len(self._changes) // 2


def _rows(view: CollectionView) -> dict[int, RowBits]:
    return {one.segment.serial: one.selection.bits() for one in view.segments}
