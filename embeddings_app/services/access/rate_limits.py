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
        with self._lock:
            held = self._purses.get(name, 0.0)
            if held < amount:
                need = amount - held
                grant = self._buckets.take(name, rate, need, max(need, rate.per_second * _SLICE_SECONDS))
                if not grant.tokens:
                    wait = (need - grant.left) / rate.per_second
                    raise Unavailable("rate_limited", retry_after_seconds=max(1, math.ceil(wait)))
                held += grant.tokens
            if len(self._purses) >= _MAX_PURSES:
                self._purses.clear()
            self._purses[name] = held - amount


@cache
def limiter() -> Limiter:
    """The limiter of this process."""
    return Limiter(Buckets(cache_client(load_config().cache_url)))
