"""The slots that have each code of a column, so that a filter which few documents pass costs nothing for the others.

A slot is added when it gets a code, and stays when it loses the code: who reads looks at the slot again. The lists hold
few stale entries, since a list that may have more stale than true ones is written again. Codes with many slots have no
list, because a filter on them reads the whole column anyway.
"""

from array import array
from typing import Final

import numpy as np
from numpy.typing import NDArray

from index_nodes.sorted_values import Codes

Slots = NDArray[np.int32]
_NONE = -1
_SPARE = 16
_TYPE: Final = "i"


def distinct(slots: Slots) -> Slots:
    """In rising order. np.unique takes three times as long for a few thousand."""
    ordered = np.sort(slots)
    different: Slots = ordered[np.diff(ordered, prepend=_NONE - 1) != 0]
    return different


class Postings:
    def __init__(self, few: int) -> None:
        self._few = few
        self._first = array(_TYPE)
        """A slot of each code: most codes of a field with many values have one slot only."""
        self._more: dict[int, array[int]] = {}
        self._many: set[int] = set()
        """Codes whose slots are not known."""

    def restore(self, codes: Codes, uses: NDArray[np.int64]) -> None:
        """Fill empty postings. `codes` by slot, `uses` by code."""
        slots = np.flatnonzero(codes >= 0).astype(np.int32)
        slots = slots[np.argsort(codes[slots], kind="stable")]
        ends = np.cumsum(uses)
        first = np.full(len(uses), _NONE, np.int32)
        first[uses > 0] = slots[ends[uses > 0] - 1]
        self._first = array(_TYPE, first.tobytes())
        for code in np.flatnonzero((uses > 1) & (uses <= self._few)).tolist():
            self._more[code] = array(_TYPE, slots[ends[code] - uses[code] : ends[code] - 1].tobytes())
        self._many = set(np.flatnonzero(uses > self._few).tolist())

    def add(self, code: int, slot: int, uses: int, codes: Codes) -> None:
        """Note that `slot` has `code`, which now has so many uses. `codes` by slot."""
        if code == len(self._first):
            self._first.append(slot)
            return
        if self._first[code] == _NONE:
            self._first[code] = slot
            return
        if code in self._many:
            return
        more = self._more.setdefault(code, array(_TYPE))
        more.append(slot)
        if len(more) >= min(2 * uses + _SPARE, 2 * self._few + _SPARE):
            self._shorten(code, more, uses, codes)

    def add_all(self, code: int, slots: Slots, uses: int, codes: Codes) -> None:
        """The same for several slots."""
        self.add(code, int(slots[0]), uses, codes)
        if len(slots) == 1 or code in self._many:
            return
        more = self._more.setdefault(code, array(_TYPE))
        more.frombytes(slots[1:].tobytes())
        if len(more) >= min(2 * uses + _SPARE, 2 * self._few + _SPARE):
            self._shorten(code, more, uses, codes)

    def _shorten(self, code: int, more: "array[int]", uses: int, codes: Codes) -> None:
        if uses > self._few:
            del self._more[code]
            self._many.add(code)
        else:
            entries = distinct(np.array(more, np.int32))
            self._more[code] = array(_TYPE, entries[codes[entries] == code].tobytes())

    def forget(self, code: int) -> None:
        """No slot has `code` any more."""
        self._first[code] = _NONE
        self._more.pop(code, None)
        self._many.discard(code)

    def slots(self, wanted: Codes, codes: Codes) -> Slots:
        """The slots that have one of the `wanted` codes, and perhaps some others, in rising order. `codes` by slot."""
        if not len(wanted):
            return np.empty(0, np.int32)
        listed = wanted.tolist() if self._more or self._many else []
        for code in self._many.intersection(listed):
            self._more[code] = array(_TYPE, np.flatnonzero(codes == code).astype(np.int32).tobytes())
            self._many.remove(code)
        more = [np.array(self._more[code], np.int32) for code in listed if code in self._more]
        found = distinct(np.concatenate([np.frombuffer(self._first, np.int32)[wanted], *more]))
        slots: Slots = found[found != _NONE]
        return slots
