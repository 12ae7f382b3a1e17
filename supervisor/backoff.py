"""How long to wait before a process that died is started again."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Backoff:
    """0.2 s, doubled at every death up to 10 s; after a life of 30 s the count begins again."""

    first_seconds: float = 0.2
    longest_seconds: float = 10.0
    forgiven_after_seconds: float = 30.0

    def failures(self, before: int, lived_seconds: float) -> int:
        """The count of deaths in a row after one more."""
        return 1 if lived_seconds >= self.forgiven_after_seconds else before + 1

    def delay(self, failures: int) -> float:
        """Seconds to wait after `failures` deaths in a row."""
        return float(min(self.longest_seconds, self.first_seconds * 2 ** min(failures - 1, 32)))
