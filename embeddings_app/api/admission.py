"""How many requests of a kind one process works on at a time; the rest hear 429 at once.

Every request holds a thread. Each kind is limited so that a slow dependency of its own cannot take the threads of the
others, and all of them together leave some, so that health checks never queue behind work.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache

from embedding_project.config import load_config
from embedding_project.contracts.errors import Unavailable
from embeddings_app.services.embedding.admission import embed_admission

THREADS_FOR_HEALTH = 2
THREADS_BESIDE_SEARCHES = 6


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


class Admission:
    """The places of a process with `threads` threads."""

    def __init__(self, threads: int, embeds_again: Callable[[], int] = lambda: 1) -> None:
        self.work = Slots(threads - THREADS_FOR_HEALTH)
        """Everything but health checks, from before the body is read."""
        self.embeds = Slots(threads // 2, embeds_again)
        self.waits = Slots(threads // 4)
        """Upserts that wait until they are indexed or searchable."""
        self.searches = Slots(threads - THREADS_BESIDE_SEARCHES)


@cache
def admission() -> Admission:
    return Admission(load_config().api_threads, lambda: embed_admission().refused_elsewhere())
