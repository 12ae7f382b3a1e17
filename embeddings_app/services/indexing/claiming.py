"""What the turns of indexing of one process claim next: they share the place in the ring of namespaces, and what they
learned about how many texts are embedded in time."""

import threading

from embeddings_app.records import claims
from embeddings_app.records.claims import Claim, Turn
from embeddings_app.services.embedding.batch_size import BatchSize

CLAIM_ITEMS = 32
"""Small enough that a batch of the longest texts is embedded well before its deadline, on two cores too."""


class Claiming:
    def __init__(self) -> None:
        self._after = Turn()
        self._size = BatchSize(texts=CLAIM_ITEMS, largest=CLAIM_ITEMS)
        self._lock = threading.Lock()

    def take(self, lease_seconds: float) -> list[Claim]:
        """One batch of due records, of the namespaces whose turn it is."""
        with self._lock:
            taken = claims.claim_pending(self._size.texts, lease_seconds, self._after)
            self._after = claims.last_turn(taken, self._after)
        return taken

    def learn(self, seconds: float, *, lost: bool) -> None:
        """What became of a batch that was taken; `lost`: not all of it was embedded in time."""
        with self._lock:
            self._size.learn(seconds, lost=lost)
