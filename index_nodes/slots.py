"""The slot table of a collection: the place of each document, and the revision of its known state.

A slot belongs to one live document. A delete frees the slot at once and leaves a tombstone with the revision: an older
state that arrives late cannot bring the document back.
"""

from array import array
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from index_nodes.collection_state import SlotState
from index_nodes.slot_map import SlotMap

MAX_TOMBSTONES = 100_000
"""The oldest go first. The log gives current states, so a state older than a tombstone is rare and comes soon."""
_FIRST_CAPACITY = 16
_DOUBLED_CAPACITY = 8_192
"""Above it arrays grow by an eighth: the room that is not used yet would otherwise be half of them at its worst."""
_KEPT = ("document_keys", "revisions", "text_revisions", "stamps")
_ARRAYS = (*_KEPT, "segments", "rows")
Slots = NDArray[np.int32]


class StateNumber(NamedTuple):
    """Orders the states of one document. Between states of one revision the text revision decides, since the service
    counts the revision of a document before it writes the vector."""

    revision: int
    text_revision: int


FIRST_NUMBER = StateNumber(1, 1)
"""Of a document with a vector that nobody has changed since."""


class SlotTable:
    def __init__(self, most_tombstones: int = MAX_TOMBSTONES) -> None:
        self._most_tombstones = most_tombstones
        self.document_keys: NDArray[np.int64] = np.zeros(_FIRST_CAPACITY, np.int64)
        self.revisions: NDArray[np.int32] = np.zeros(_FIRST_CAPACITY, np.int32)
        self.text_revisions: NDArray[np.int32] = np.zeros(_FIRST_CAPACITY, np.int32)
        self.stamps: NDArray[np.int64] = np.full(_FIRST_CAPACITY, -1, np.int64)
        """Stamp of the row that holds the current vector; -1 for a free slot."""
        self.segments: NDArray[np.int32] = np.zeros(_FIRST_CAPACITY, np.int32)
        """Serial of the segment with that row."""
        self.rows: NDArray[np.int32] = np.zeros(_FIRST_CAPACITY, np.int32)
        self.count = 0
        """Slots below this number have been used."""
        self._slot_of = SlotMap()
        self._free = array("i")
        self._tombstones: dict[int, StateNumber] = {}

    @property
    def capacity(self) -> int:
        return len(self.document_keys)

    def find(self, document_key: int) -> int | None:
        return self._slot_of.find(document_key)

    def known(self, document_key: int, slot: int | None) -> StateNumber | None:
        """The newest known state of a document, live or deleted; `slot` is what `find` gives for it."""
        if slot is None:
            return self._tombstones.get(document_key)
        return StateNumber(self.revisions.item(slot), self.text_revisions.item(slot))

    def add(self, document_key: int) -> int:
        """A slot for a document that has none."""
        self._tombstones.pop(document_key, None)
        if self._free:
            slot = self._free.pop()
        else:
            slot = self.count
            if slot == self.capacity:
                self._grow(2 * slot if slot < _DOUBLED_CAPACITY else slot + slot // 8)
            self.count += 1
        self._slot_of.add(document_key, slot)
        self.document_keys[slot] = document_key
        return slot

    def reserve(self, count: int) -> int:
        """Take new slots that belong to no document yet, in a row; gives the first."""
        first = self.count
        if first + count > self.capacity:
            self._grow(first + count)
        self.count += count
        return first

    def give_back(self, slots: Slots) -> None:
        """Let documents have slots that were reserved and not used."""
        self._free.frombytes(slots.tobytes())

    def known_among(self, document_keys: NDArray[np.int64]) -> dict[int, StateNumber]:
        """Of these documents, in rising order of their keys, those that are known here: by their place."""
        if not len(document_keys):
            return {}
        first, last = document_keys[0], document_keys[-1]
        slots = self.live()
        own = self.document_keys[slots]
        slots = slots[(own >= first) & (own <= last)]
        keys = [*self.document_keys[slots].tolist(), *(key for key in self._tombstones if first <= key <= last)]
        places = np.searchsorted(document_keys, np.array(keys, np.int64))
        among = document_keys[places] == keys if keys else ()
        found = {}
        for key, place, here in zip(keys, places.tolist(), among, strict=True):
            known = self.known(key, self.find(key)) if here else None
            if known is not None:
                found[place] = known
        return found

    def name_all(self, document_keys: NDArray[np.int64], slots: Slots) -> None:
        """Let documents that have no slot be found in reserved ones; their keys are in rising order."""
        for key in [key for key in self._tombstones if document_keys[0] <= key <= document_keys[-1]]:
            place = np.searchsorted(document_keys, key)
            if document_keys[place] == key:
                del self._tombstones[key]
        self._slot_of.add_all(document_keys, slots)

    def fill(self, slots: Slots, document_keys: NDArray[np.int64], stamps: NDArray[np.int64]) -> None:
        """Make reserved slots those of documents in their first state."""
        self.document_keys[slots] = document_keys
        self.revisions[slots], self.text_revisions[slots] = FIRST_NUMBER
        self.stamps[slots] = stamps

    def remove(self, document_key: int) -> None:
        slot = self._slot_of.remove(document_key)
        self.stamps[slot] = -1
        self._free.append(slot)

    def bury(self, document_key: int, state: StateNumber) -> None:
        """Remember the state of a document that is not live."""
        self._tombstones.pop(document_key, None)
        self._tombstones[document_key] = state
        if len(self._tombstones) > self._most_tombstones:
            del self._tombstones[next(iter(self._tombstones))]

    def capture(self) -> SlotState:
        """A copy of everything but `segments` and `rows`, which follow from the stamps."""
        arrays = {name: getattr(self, name)[: self.count].copy() for name in _KEPT}
        return SlotState(**arrays, tombstones=list(self._tombstones.items()))

    def restore(self, state: SlotState) -> None:
        """Fill an empty table. Raises ValueError when a document has two slots."""
        self.count = len(state.stamps)
        if self.count > self.capacity:
            self._grow(self.count)
        for name in _KEPT:
            getattr(self, name)[: self.count] = getattr(state, name)
        live = self.live()
        self._slot_of.restore(self.document_keys[live], live)
        self._free = array("i", np.flatnonzero(self.stamps[: self.count] < 0).astype(np.int32).tobytes())
        self._tombstones = {key: StateNumber(*number) for key, number in state.tombstones}

    def live(self) -> NDArray[np.int64]:
        """The slots that belong to a document, in rising order."""
        return np.flatnonzero(self.stamps[: self.count] >= 0)

    def _grow(self, capacity: int) -> None:
        for name in _ARRAYS:
            array = getattr(self, name)
            fill = -1 if name == "stamps" else 0
            setattr(self, name, np.concatenate([array, np.full(capacity - len(array), fill, array.dtype)]))
