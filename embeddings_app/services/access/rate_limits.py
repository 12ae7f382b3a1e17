"""Limits of a caller: requests and inputs a second.

A process takes tokens for the next moments at a time and spends them itself, so that a busy key costs a round trip
every 50 ms and not one a request. A caller without limits costs nothing.
"""

import math
import threading
from functools import cache

from embedding_project.broker.redis_clients import cache_client
from embedding_project.buckets import Buckets, Rate
from embedding_project.config import load_config
from embedding_project.contracts.errors import Unavailable
from embedding_project.contracts.limits import MAX_EMBED_INPUTS, MAX_UPSERT_DOCUMENTS
from embeddings_app.services.access.callers import Caller

_SLICE_SECONDS = 0.05
_BIGGEST_REQUEST = max(MAX_EMBED_INPUTS, MAX_UPSERT_DOCUMENTS)
_MAX_PURSES = 10_000


class Limiter:
    def __init__(self, buckets: Buckets) -> None:
        self._buckets = buckets
        self._purses: dict[str, float] = {}
        self._lock = threading.Lock()

    def count_request(self, caller: Caller) -> None:
        """Raises Unavailable (rate_limited) when the caller asked too often."""
        if caller.requests_per_second is not None:
            rate = Rate(caller.requests_per_second, max(1.0, caller.requests_per_second))
            self._spend(f"{caller.name}:requests", rate, 1)

    def count_inputs(self, caller: Caller, inputs: int) -> None:
        """Raises Unavailable (rate_limited) when the caller sent too many texts, documents and queries."""
        if caller.inputs_per_second is not None:
            # A full bucket holds the request at hand, however large, or it could never be let through.
            burst = max(float(_BIGGEST_REQUEST), caller.inputs_per_second, float(inputs))
            rate = Rate(caller.inputs_per_second, burst)
            self._spend(f"{caller.name}:inputs", rate, inputs)

    def _spend(self, name: str, rate: Rate, amount: int) -> None:
        need = self._take_held(name, amount)
        if not need:
            return
        grant = self._buckets.take(name, rate, need, max(need, rate.per_second * _SLICE_SECONDS))
        if grant.tokens:
            self._hold(name, grant.tokens - need)
            return
        self._hold(name, amount - need)
        # Another thread may have brought more than it needed meanwhile.
        if still := self._take_held(name, amount):
            self._hold(name, amount - still)
            wait = (still - grant.left) / rate.per_second
            raise Unavailable("rate_limited", retry_after_seconds=max(1, math.ceil(wait)))

    def _take_held(self, name: str, amount: float) -> float:
        """Take up to `amount` from what this process holds; gives how much is missing."""
        with self._lock:
            taken = min(amount, self._purses.get(name, 0.0))
            if taken:
                self._purses[name] -= taken
            return amount - taken

    def _hold(self, name: str, tokens: float) -> None:
        if tokens > 0:
            with self._lock:
                if len(self._purses) >= _MAX_PURSES:
                    self._purses.clear()
                self._purses[name] = self._purses.get(name, 0.0) + tokens


@cache
def limiter() -> Limiter:
    """The limiter of this process."""
    return Limiter(Buckets(cache_client(load_config().cache_url)))
