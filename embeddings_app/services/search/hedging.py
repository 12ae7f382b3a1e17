"""When a shard is late, and how often a message may be sent twice: rarely enough that it cannot feed an overload."""

from collections import deque

SOONEST_SECONDS = 0.04
LATEST_SECONDS = 0.15
_TIMES_P95 = 3.0
_REMEMBERED = 200
_LOOK_EVERY = 20


class AnswerTimes:
    """How long shards took lately, and from that, when an answer is overdue. For one thread at a time."""

    def __init__(self) -> None:
        self._recent: deque[float] = deque(maxlen=_REMEMBERED)
        self._until_look = _LOOK_EVERY
        self.overdue_after = LATEST_SECONDS
        """Seconds: three times what 95 % of the answers stay within, between 40 and 150 ms."""

    def note(self, seconds: float) -> None:
        self._recent.append(seconds)
        self._until_look -= 1
        if self._until_look == 0:
            self._until_look = _LOOK_EVERY
            p95 = sorted(self._recent)[int(0.95 * len(self._recent))]
            self.overdue_after = min(max(_TIMES_P95 * p95, SOONEST_SECONDS), LATEST_SECONDS)


class HedgeBudget:
    """A bucket: every fan-out puts a twentieth of a hedge into it, ten at most lie in it. For one thread at a time."""

    SHARE = 0.05
    BURST = 10.0

    def __init__(self) -> None:
        self._saved = self.BURST

    def earn(self) -> None:
        self._saved = min(self._saved + self.SHARE, self.BURST)

    def take(self) -> bool:
        """Whether one more message may be sent."""
        if self._saved < 1:
            return False
        self._saved -= 1
        return True
