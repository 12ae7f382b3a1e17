"""How many requests of a kind one process works on at a time; the rest hear 429 at once.

Every request holds a thread. Each kind is limited so that a slow dependency of its own cannot take the threads of the
others, and all of them together leave some, so that health checks never queue behind work. A caller who takes many
places, with bodies that arrive slowly for example, leaves some to the others.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache

from embedding_project.config import load_config
from embedding_project.contracts.errors import Unavailable
from embedding_project.contracts.limits import PAGES_AT_ONCE
from embeddings_app.services.embedding.admission import embed_admission

THREADS_FOR_HEALTH = 2
THREADS_BESIDE_SEARCHES = 6
_MOST_BESIDE_FREE = 3


class Slots:
    """A number of places that are taken without waiting."""

    def __init__(self, places: int, retry_after: Callable[[], int] = lambda: 1) -> None:
        """`retry_after` is asked at every refusal: after how many seconds to come again."""
        self._places = threading.Semaphore(places)
        self._retry_after = retry_after

    @contextmanager
    def one(self) -> Iterator[None]:
        """Hold a place for the duration of the block. Raises Unavailable (overloaded) when all are taken."""
        if not self._places.acquire(blocking=False):
            raise Unavailable("overloaded", retry_after_seconds=self._retry_after())
        try:
            yield
        finally:
            self._places.release()


class SharedSlots:
    """Places of which nobody may hold more than three times as many as are free: a newcomer always finds one."""

    def __init__(self, places: int) -> None:
        self._free = places
        self._held: dict[str, int] = {}
        self._lock = threading.Lock()

    @contextmanager
    def one(self, holder: str, *, alone: bool = False) -> Iterator[None]:
        """Hold a place for the block; `alone`: there is no other holder. Raises Unavailable (overloaded)."""
        self.take(holder, alone=alone)
        try:
            yield
        finally:
            self.give(holder)

    def take(self, holder: str, *, alone: bool = False) -> None:
        """Hold a place until `give`. Raises Unavailable (overloaded)."""
        with self._lock:
            held = self._held.get(holder, 0)
            if not self._free or (held >= _MOST_BESIDE_FREE * self._free and not alone):
                raise Unavailable("overloaded")
            self._free -= 1
            self._held[holder] = held + 1

    def give(self, holder: str) -> None:
        with self._lock:
            self._free += 1
            left = self._held.pop(holder) - 1
            if left:
                self._held[holder] = left


class Admission:
    """The places of a process with `threads` threads."""

    def __init__(self, threads: int, embeds_again: Callable[[], int] = lambda: 1) -> None:
        self.work = SharedSlots(threads - THREADS_FOR_HEALTH)
        """Whatever needs a key, by caller, from before the body is read."""
        self.pages = SharedSlots(PAGES_AT_ONCE)
        """The admin, the documentation and their files, by address; they have threads of their own."""
        self.embeds = Slots(threads // 2, embeds_again)
        self.waits = Slots(threads // 4)
        """Upserts that wait until they are indexed or searchable."""
        self.walks = Slots(threads // 4)
        """Listings, counts and changes of documents by a filter: each may keep Postgres busy for seconds."""
        self.searches = Slots(threads - THREADS_BESIDE_SEARCHES)


@cache
def admission() -> Admission:
    return Admission(load_config().api_threads, lambda: embed_admission().note_refusal())
