"""Which slot each live document of a collection has: sorted arrays, and a small dict of the newest documents.

A dict of all documents would take 100 to 200 bytes for each of them, since it holds them as objects. Here a document
takes 12 bytes in the arrays. One in the dict takes more, so the dict joins the arrays when it has a thirty-second
as many as they have.
"""

from array import array
from bisect import bisect_left
from typing import Final

import numpy as np
from numpy.typing import NDArray

FEWEST_RECENT = 8_192
MOST_RECENT = 32_768
"""To write two million documents in their order takes about 10 ms, in which the index is locked."""
_SHARE_RECENT = 32
_GONE = -1
_NOBODY = np.empty(0, np.int64), np.empty(0, np.int32)
_KEY: Final = "q"
_SLOT: Final = "i"


class SlotMap:
    def __init__(self, fewest_recent: int = FEWEST_RECENT) -> None:
        self._fewest_recent = fewest_recent
        self._keys = array(_KEY)
        """In rising order."""
        self._slots = array(_SLOT)
        """Beside each key; -1 when the document is gone."""
        self._gone = 0
        """How many of these are gone."""
        self._recent: dict[int, int] = {}
        """Document key -> slot. No key is both here and among the sorted ones that are not gone."""
        self._most_recent = fewest_recent

    def __len__(self) -> int:
        return len(self._keys) - self._gone + len(self._recent)

    def find(self, document_key: int) -> int | None:
        slot = self._recent.get(document_key)
        if slot is not None:
            return slot
        # Every state that is applied comes here, so nothing is called that need not be.
        keys = self._keys
        place = bisect_left(keys, document_key)
        if place == len(keys) or keys[place] != document_key:
            return None
        slot = self._slots[place]
        return None if slot == _GONE else slot

    def add(self, document_key: int, slot: int) -> None:
        """Of a document that has no slot."""
        place = self._place(document_key) if self._gone else None
        if place is not None:
            self._slots[place] = slot
            self._gone -= 1
            return
        self._recent[document_key] = slot
        if len(self._recent) > self._most_recent:
            self._sort(*_NOBODY)

    def add_all(self, document_keys: NDArray[np.int64], slots: NDArray[np.int32]) -> None:
        """Of documents that have no slot, in rising order of their keys. Takes as long for few as for many."""
        self._sort(document_keys, slots)

    def remove(self, document_key: int) -> int:
        """The slot that the document had. Raises KeyError when it has none."""
        slot = self._recent.pop(document_key, None)
        if slot is not None:
            return slot
        place = self._place(document_key)
        if place is None or self._slots[place] == _GONE:
            raise KeyError(document_key)
        slot, self._slots[place] = self._slots[place], _GONE
        self._gone += 1
        if 2 * self._gone > max(len(self._keys), 2 * self._fewest_recent):
            self._sort(*_NOBODY)
        return slot

    def restore(self, document_keys: NDArray[np.int64], slots: NDArray[np.int64]) -> None:
        """Fill an empty map. Raises ValueError when a document has two slots."""
        order = np.argsort(document_keys, kind="stable")
        keys = document_keys[order]
        if np.any(keys[1:] == keys[:-1]):
            raise ValueError("a document has two slots")
        self._set(keys, slots[order].astype(np.int32))

    def _place(self, document_key: int) -> int | None:
        place = bisect_left(self._keys, document_key)
        return place if place < len(self._keys) and self._keys[place] == document_key else None

    def _sort(self, more_keys: NDArray[np.int64], more_slots: NDArray[np.int32]) -> None:
        """Bring the recent documents and further ones among the sorted ones, and leave those out that are gone."""
        keys, slots = np.array(self._keys, np.int64), np.array(self._slots, np.int32)
        if self._gone:
            kept = slots != _GONE
            keys, slots = keys[kept], slots[kept]
        recent = len(self._recent)
        new_keys = np.concatenate([np.fromiter(self._recent.keys(), np.int64, recent), more_keys])
        new_slots = np.concatenate([np.fromiter(self._recent.values(), np.int32, recent), more_slots])
        order = np.argsort(new_keys)
        places = np.searchsorted(keys, new_keys[order])
        self._recent = {}
        self._set(np.insert(keys, places, new_keys[order]), np.insert(slots, places, new_slots[order]))

    def _set(self, keys: NDArray[np.int64], slots: NDArray[np.int32]) -> None:
        self._keys, self._slots = array(_KEY, keys.tobytes()), array(_SLOT, slots.tobytes())
        self._gone = 0
        self._most_recent = max(self._fewest_recent, min(len(keys) // _SHARE_RECENT, MOST_RECENT))
