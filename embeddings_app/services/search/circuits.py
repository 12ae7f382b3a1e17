"""Circuit breakers: a shard that leaves fan-out after fan-out unanswered is not waited for until it is heard again.

While a circuit is open, one message now and then still goes to its shard; any answer, however late, closes it. What was
not tried for a while is not known any more, so it is forgotten.
"""

from dataclasses import dataclass
from typing import NamedTuple

from embeddings_app.services.search.metrics import OPEN_CIRCUITS

TOLERATED_MISSES = 3
"""In a row; the circuit opens with the last of them."""
PROBE_SECONDS = 0.25
IDLE_SECONDS = 5.0


class ShardKey(NamedTuple):
    """One model version on one shard: what a search queue is for."""

    layout: int
    version_key: int
    shard: int


@dataclass(slots=True)
class _Circuit:
    tried_at: float
    misses: int = 0

    @property
    def is_open(self) -> bool:
        return self.misses >= TOLERATED_MISSES


class Circuits:
    """For one thread at a time. Times are of one monotonic clock, in seconds."""

    def __init__(self) -> None:
        self._silent: dict[ShardKey, _Circuit] = {}

    def waits_for(self, key: ShardKey, now: float) -> bool:
        """Whether a search is to ask the shard and wait for it."""
        if not self._silent:
            return True
        self._forget_idle(now)
        circuit = self._silent.get(key)
        return circuit is None or not circuit.is_open

    def take_probe(self, key: ShardKey, now: float) -> bool:
        """Whether it is time to send something to a shard that is not waited for; the caller then tries to."""
        circuit = self._silent.get(key)
        if circuit is None or now - circuit.tried_at < PROBE_SECONDS:
            return False
        circuit.tried_at = now
        return True

    def answered(self, key: ShardKey) -> None:
        if self._silent:
            self._drop(key)

    def missed(self, key: ShardKey, now: float) -> None:
        """Note that a fan-out waited for the shard in vain."""
        circuit = self._silent.setdefault(key, _Circuit(now))
        circuit.tried_at = now
        circuit.misses += 1
        if circuit.misses == TOLERATED_MISSES:
            OPEN_CIRCUITS.inc()

    def _forget_idle(self, now: float) -> None:
        for key in [key for key, circuit in self._silent.items() if now - circuit.tried_at > IDLE_SECONDS]:
            self._drop(key)

    def _drop(self, key: ShardKey) -> None:
        circuit = self._silent.pop(key, None)
        if circuit is not None and circuit.is_open:
            OPEN_CIRCUITS.dec()
