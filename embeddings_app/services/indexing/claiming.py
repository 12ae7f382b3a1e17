"""What the turns of indexing of one process claim next: they share the place in the ring of namespaces, and what they
learned about how many texts are embedded in time, and of which model versions none are."""

import threading
import time
from collections.abc import Callable

from embeddings_app.records import claims
from embeddings_app.records.claims import Claim, Turn
from embeddings_app.services.embedding.batch_size import BatchSize

CLAIM_ITEMS = 32
"""Small enough that a batch of the longest texts is embedded well before its deadline, on two cores too."""

REST_SECONDS = 1.0
"""From the beginning of a batch in an outage to the next one of the same version. When the embedders or the broker are
away, batches fail within milliseconds, and thousands of texts may wait, each due again after a second."""


class Claiming:
    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self.now = monotonic
        self._resting: dict[int, float] = {}
        """Until when each version rests."""
        self._after = Turn()
        self._size = BatchSize(texts=CLAIM_ITEMS, largest=CLAIM_ITEMS)
        self._lock = threading.Lock()

    def take(self, lease_seconds: float) -> list[Claim]:
        """One batch of due records, of the namespaces whose turn it is and of a version that does not rest."""
        with self._lock:
            taken = claims.claim_pending(self._size.texts, lease_seconds, self._after, self._at_rest())
            self._after = claims.last_turn(taken, self._after)
        return taken

    def any_due(self) -> bool:
        """Whether `take` would find something."""
        with self._lock:
            resting = self._at_rest()
        return claims.any_due(resting)

    def learn(self, seconds: float, *, lost: bool) -> None:
        """What became of a batch that was taken; `lost`: not all of it was embedded in time."""
        with self._lock:
            self._size.learn(seconds, lost=lost)

    def rest(self, version_key: int, began: float) -> None:
        """Nothing of a batch of the version was embedded, although no text is to blame; `began`: when it was sent."""
        with self._lock:
            self._resting[version_key] = began + REST_SECONDS

    def _at_rest(self) -> list[int]:
        now = self.now()
        self._resting = {key: until for key, until in self._resting.items() if until > now}
        return list(self._resting)
