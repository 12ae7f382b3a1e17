"""What the searches of a process learn of shards: who is silent, when an answer is overdue, what hedges are left."""

import threading
from collections.abc import Iterable

from embeddings_app.services.search.circuits import Circuits, ShardKey
from embeddings_app.services.search.hedging import AnswerTimes, HedgeBudget


class ShardHealth:
    """Shared by all carriers. Times are of one monotonic clock, in seconds."""

    def __init__(self) -> None:
        self._circuits = Circuits()
        self._times = AnswerTimes()
        self._budget = HedgeBudget()
        self._guard = threading.Lock()

    def silent(self, keys: Iterable[ShardKey], now: float) -> set[ShardKey]:
        """Those of the shards that no search waits for."""
        with self._guard:
            return {key for key in keys if not self._circuits.waits_for(key, now)}

    def take_probe(self, key: ShardKey, now: float) -> bool:
        """Whether it is time to send something to a silent shard; the caller then tries to."""
        with self._guard:
            return self._circuits.take_probe(key, now)

    def answered(self, key: ShardKey, seconds: float | None = None) -> None:
        """`seconds`: since its message left, when somebody still waited."""
        with self._guard:
            self._circuits.answered(key)
            if seconds is not None:
                self._times.note(seconds)

    def missed(self, key: ShardKey, now: float) -> None:
        """A fan-out waited for the shard in vain."""
        with self._guard:
            self._circuits.missed(key, now)

    def overdue_after(self) -> float:
        """Seconds after which the answer to a message is overdue; a message that leaves now earns its share of a
        hedge."""
        with self._guard:
            self._budget.earn()
            return self._times.overdue_after

    def take_hedge(self) -> bool:
        """Whether one more message may be sent."""
        with self._guard:
            return self._budget.take()
