"""Some rows of a segment, a bit each. Filtered views are kept by the dozen, and copied at each search beside writes."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]
RowNumbers = NDArray[np.int64]
_WORD = 8
"""Bytes that are counted at once."""
_ORDER: Final = "little"


class RowBits:
    """Never changes: what is mended is a copy."""

    def __init__(self, marks: NDArray[np.uint8], total: int) -> None:
        """`marks`: whole words, those after the last row empty."""
        self._marks = marks
        self.total = total
        """Rows of the segment."""

    @classmethod
    def of(cls, mask: Mask) -> "RowBits":
        marks = _empty(len(mask))
        packed = np.packbits(mask, bitorder=_ORDER)
        marks[: len(packed)] = packed
        return cls(marks, len(mask))

    @classmethod
    def none(cls) -> "RowBits":
        return cls(_empty(0), 0)

    def count(self) -> int:
        return int(np.bitwise_count(self._marks.view(np.uint64)).sum(dtype=np.int64))

    def mask(self) -> Mask:
        return np.unpackbits(self._marks, count=self.total, bitorder=_ORDER).view(np.bool_)

    def has(self, rows: RowNumbers) -> Mask:
        """Which of the given rows are among them."""
        found: Mask = self._marks[rows >> 3] & _bit(rows) != 0
        return found

    def mended(self, total: int, rows: RowNumbers, marks: Mask) -> "RowBits":
        """A copy for a segment that has grown to `total` rows, in which `marks` says which of `rows` are among them."""
        mended = _empty(total)
        mended[: len(self._marks)] = self._marks
        np.bitwise_and.at(mended, rows >> 3, ~_bit(rows))
        np.bitwise_or.at(mended, rows[marks] >> 3, _bit(rows[marks]))
        return RowBits(mended, total)


def _empty(total: int) -> NDArray[np.uint8]:
    return np.zeros(_WORD * -(-total // (8 * _WORD)), np.uint8)


def _bit(rows: RowNumbers) -> NDArray[np.uint8]:
    bits: NDArray[np.uint8] = np.left_shift(1, rows & 7).astype(np.uint8)
    return bits
