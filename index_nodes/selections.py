"""The rows of a segment that a search may return, as of one moment: a selection never changes.

A search runs beside writes. So the array that writes change, when each row died, is read only in a way in which later
deaths make no difference: a row that died after the moment of the selection still belongs to it.
"""

from abc import ABC, abstractmethod

import numpy as np
from numpy.typing import NDArray

from index_nodes.row_bits import Mask, RowBits, RowNumbers


class Selection(ABC):
    def __init__(self, total: int, count: int) -> None:
        self.total = total
        """Rows of the segment."""
        self.count = count
        """How many of them are selected."""

    @property
    def whole(self) -> bool:
        """Whether every row is selected, live or dead."""
        return self.count == self.total

    @abstractmethod
    def has(self, rows: RowNumbers) -> Mask:
        """Which of the given rows are selected."""

    @abstractmethod
    def mask(self) -> Mask:
        """By row, made anew. Only for what reads all rows anyway."""

    def rows(self) -> RowNumbers:
        """The selected rows in rising order."""
        return np.flatnonzero(self.mask())

    def bits(self) -> RowBits:
        return RowBits.of(self.mask())


class LiveRows(Selection):
    """Every row that was live at one moment."""

    def __init__(self, died: NDArray[np.int64], moment: int, count: int) -> None:
        super().__init__(len(died), count)
        self._died = died
        self._moment = moment

    def has(self, rows: RowNumbers) -> Mask:
        alive: Mask = self._died[rows] > self._moment
        return alive

    def mask(self) -> Mask:
        alive: Mask = self._died > self._moment
        return alive


class MarkedRows(Selection):
    """Many rows."""

    def __init__(self, bits: RowBits) -> None:
        super().__init__(bits.total, bits.count())
        self._bits = bits

    def has(self, rows: RowNumbers) -> Mask:
        return self._bits.has(rows)

    def mask(self) -> Mask:
        return self._bits.mask()

    def bits(self) -> RowBits:
        return self._bits


class PickedRows(Selection):
    """Few rows by number, so that nothing is as large as the segment."""

    def __init__(self, total: int, rows: RowNumbers) -> None:
        super().__init__(total, len(rows))
        self._rows = rows

    def has(self, rows: RowNumbers) -> Mask:
        places = np.minimum(np.searchsorted(self._rows, rows), self.count - 1)
        found: Mask = self._rows[places] == rows
        return found

    def mask(self) -> Mask:
        mask = np.zeros(self.total, np.bool_)
        mask[self._rows] = True
        return mask

    def rows(self) -> RowNumbers:
        return self._rows
