"""The rows of a segment: the slot of each row, and which rows still are the current vector of their document."""

import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]


class Selection:
    """The rows of one segment that a search may return."""

    def __init__(self, mask: Mask | None, count: int) -> None:
        self.mask = mask
        """None when every row may be returned."""
        self.count = count

    def rows(self) -> NDArray[np.int64] | None:
        """Row numbers in rising order; None for all rows."""
        return None if self.mask is None else np.flatnonzero(self.mask)


class SegmentRows:
    """Rows are only appended and killed. Each row has a stamp that no other row ever had. The row is current when the
    slot table has the same stamp, no matter what happened since the row was appended."""

    def __init__(self, slots: NDArray[np.int32], stamps: NDArray[np.int64], live: Mask) -> None:
        self._slots = slots
        self._stamps = stamps
        self._live = live
        self.count = len(slots)
        self.live_count = int(np.count_nonzero(live))
        self._live_selection: Selection | None = None

    @classmethod
    def empty(cls, capacity: int) -> "SegmentRows":
        rows = cls(np.zeros(capacity, np.int32), np.zeros(capacity, np.int64), np.zeros(capacity, np.bool_))
        rows.count = 0
        return rows

    @property
    def slots(self) -> NDArray[np.int32]:
        return self._slots[: self.count]

    @property
    def stamps(self) -> NDArray[np.int64]:
        return self._stamps[: self.count]

    @property
    def live(self) -> Mask:
        return self._live[: self.count]

    def grow(self, capacity: int) -> None:
        for name in ("_slots", "_stamps", "_live"):
            array = np.zeros(capacity, getattr(self, name).dtype)
            array[: self.count] = getattr(self, name)[: self.count]
            setattr(self, name, array)

    def append(self, slot: int, stamp: int) -> int:
        row = self.count
        self._slots[row] = slot
        self._stamps[row] = stamp
        self._live[row] = True
        self.count += 1
        self.live_count += 1
        self._live_selection = None
        return row

    def kill(self, row: int) -> None:
        self._live[row] = False
        self.live_count -= 1
        self._live_selection = None

    def set_live(self, live: Mask) -> None:
        self._live = live
        self.live_count = int(np.count_nonzero(live))
        self._live_selection = None

    def live_selection(self) -> Selection:
        """Every live row; kept until a row is appended or killed."""
        if self._live_selection is None:
            everything = self.live_count == self.count
            self._live_selection = Selection(None if everything else self.live, self.live_count)
        return self._live_selection

    def selection(self, slot_mask: Mask) -> Selection:
        """The live rows whose slot is in `slot_mask`."""
        mask: Mask = slot_mask[self.slots] & self.live
        return Selection(mask, int(np.count_nonzero(mask)))
