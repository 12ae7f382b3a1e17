"""The rows of a segment: the document of each row, and since when the row is no longer its current vector."""

import numpy as np
from numpy.typing import NDArray

from index_nodes.row_bits import Mask, RowBits, RowNumbers
from index_nodes.selections import LiveRows, MarkedRows, PickedRows

NEVER_DIED = np.iinfo(np.int64).max
_ARRAYS = ("_slots", "_stamps", "_document_keys", "_text_revisions", "_died")


class SegmentRows:
    """Rows are only appended and killed. Each row has a stamp that no other row ever had. The row is current when the
    slot table has the same stamp, no matter what happened since the row was appended.

    What a row says of its document never changes, also when its slot goes to another document. So a search may read the
    first `count` rows while others are appended and killed; a kill notes the moment, and leaves earlier moments alone.
    """

    def __init__(
        self,
        slots: NDArray[np.int32],
        stamps: NDArray[np.int64],
        document_keys: NDArray[np.int64],
        text_revisions: NDArray[np.int32],
    ) -> None:
        """Rows that are all dead."""
        self._slots = slots
        self._stamps = stamps
        self._document_keys = document_keys
        self._text_revisions = text_revisions
        self._died = np.zeros(len(slots), np.int64)
        self.count = len(slots)
        self.live_count = 0

    @classmethod
    def empty(cls, capacity: int) -> "SegmentRows":
        long, short = np.zeros(capacity, np.int64), np.zeros(capacity, np.int32)
        rows = cls(short, long, long.copy(), short.copy())
        rows.count = 0
        return rows

    @property
    def slots(self) -> NDArray[np.int32]:
        return self._slots[: self.count]

    @property
    def stamps(self) -> NDArray[np.int64]:
        return self._stamps[: self.count]

    @property
    def document_keys(self) -> NDArray[np.int64]:
        return self._document_keys[: self.count]

    @property
    def text_revisions(self) -> NDArray[np.int32]:
        """Of the text from which the vector of the row was made."""
        return self._text_revisions[: self.count]

    @property
    def live(self) -> Mask:
        alive: Mask = self._died[: self.count] == NEVER_DIED
        return alive

    def grow(self, capacity: int) -> None:
        for name in _ARRAYS:
            array = np.zeros(capacity, getattr(self, name).dtype)
            array[: self.count] = getattr(self, name)[: self.count]
            setattr(self, name, array)

    def append(self, slot: int, stamp: int, document_key: int, text_revision: int) -> int:
        row = self.count
        self._slots[row] = slot
        self._stamps[row] = stamp
        self._document_keys[row] = document_key
        self._text_revisions[row] = text_revision
        self._died[row] = NEVER_DIED
        self.count += 1
        self.live_count += 1
        return row

    def kill(self, row: int, moment: int) -> None:
        """Let a live row be dead from `moment` on, which must be later than that of every selection made so far."""
        self._died[row] = moment
        self.live_count -= 1

    def set_live(self, live: Mask) -> None:
        self._died = np.where(live, NEVER_DIED, 0)
        self.live_count = int(np.count_nonzero(live))

    def live_selection(self, moment: int) -> LiveRows:
        """Every row that is live now, at `moment`."""
        return LiveRows(self._died[: self.count], moment, self.live_count)

    def selection(self, slot_mask: Mask) -> MarkedRows:
        """The live rows whose slot is in `slot_mask`."""
        return MarkedRows(RowBits.of(slot_mask[self.slots] & self.live))

    def picked(self, rows: RowNumbers) -> PickedRows:
        """Some live rows, in rising order."""
        return PickedRows(self.count, rows)
