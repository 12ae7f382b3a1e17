"""What the turns of indexing of one process claim next. They share the place in the ring of namespaces."""

import threading

from embeddings_app.records import claims
from embeddings_app.records.claims import Claim, Turn

CLAIM_ITEMS = 32
"""Small enough that a batch of the longest texts is embedded well before its deadline, on two cores too."""


class Claiming:
    def __init__(self) -> None:
        self._after = Turn()
        self._lock = threading.Lock()

    def take(self, lease_seconds: float) -> list[Claim]:
        """One batch of due records, of the namespaces whose turn it is."""
        with self._lock:
            taken = claims.claim_pending(CLAIM_ITEMS, lease_seconds, self._after)
            self._after = claims.last_turn(taken, self._after)
        return taken
