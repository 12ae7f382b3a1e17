"""Vectors in the memory of this process, in front of the shared cache: bounded in bytes, each for five seconds at most.

Five seconds, so that what another process forgets is soon forgotten here too. Entries are handed out as they are: a
vector is read-only, nobody copies it.
"""

import threading
import time
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from embedding_project.contracts.vectors import EmbeddedText

FRESH_SECONDS = 5.0
ENTRY_OVERHEAD_BYTES = 640
"""What an entry takes beside its numbers: key, objects around the vector, its place in the order of use."""


@dataclass(frozen=True, slots=True)
class _Entry:
    model_id: str
    embedded: EmbeddedText
    good_until: float

    @property
    def size(self) -> int:
        return self.embedded.vector.nbytes + ENTRY_OVERHEAD_BYTES


@dataclass(slots=True)
class Held:
    """What is held of one model."""

    entries: int = 0
    size_bytes: int = 0


class LocalVectors:
    """Holds at most `max_bytes`; the entries that were not used for longest leave first. Safe for many threads."""

    def __init__(self, max_bytes: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._max_bytes = max_bytes
        self._clock = clock
        self._lock = threading.Lock()
        self._entries: OrderedDict[bytes, _Entry] = OrderedDict()
        self._held: defaultdict[str, Held] = defaultdict(Held)
        self._size_bytes = 0
        self._forgets = 0

    @property
    def size_bytes(self) -> int:
        return self._size_bytes

    @property
    def moment(self) -> int:
        """A mark for `put_many`: what was looked up before a forget must not come in after it."""
        return self._forgets

    def held(self, model_id: str) -> Held:
        with self._lock:
            return Held(self._held[model_id].entries, self._held[model_id].size_bytes)

    def get_many(self, keys: Sequence[bytes]) -> dict[bytes, EmbeddedText]:
        """Those of `keys` that are held."""
        if not self._max_bytes:
            return {}
        found = {}
        with self._lock:
            now = self._clock()
            for key in keys:
                entry = self._entries.get(key)
                if entry is None:
                    continue
                if entry.good_until <= now:
                    self._drop(key)
                else:
                    self._entries.move_to_end(key)
                    found[key] = entry.embedded
        return found

    def put_many(self, model_id: str, found: Mapping[bytes, EmbeddedText], moment: int) -> None:
        """Hold `found`, unless anything was forgotten since `moment`."""
        if not self._max_bytes or not found:
            return
        with self._lock:
            if moment != self._forgets:
                return
            good_until = self._clock() + FRESH_SECONDS
            for key, embedded in found.items():
                self._drop(key)
                entry = self._entries[key] = _Entry(model_id, embedded, good_until)
                self._count(entry, 1)
            while self._size_bytes > self._max_bytes:
                self._drop(next(iter(self._entries)))

    def forget(self, keys: Iterable[bytes]) -> None:
        with self._lock:
            self._forgets += 1
            for key in keys:
                self._drop(key)

    def clear(self) -> None:
        with self._lock:
            self._forgets += 1
            self._entries.clear()
            self._held.clear()
            self._size_bytes = 0

    def _drop(self, key: bytes) -> None:
        entry = self._entries.pop(key, None)
        if entry is not None:
            self._count(entry, -1)

    def _count(self, entry: _Entry, sign: int) -> None:
        held = self._held[entry.model_id]
        held.entries += sign
        held.size_bytes += sign * entry.size
        self._size_bytes += sign * entry.size
