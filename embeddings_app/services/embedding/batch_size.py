"""How many texts go into one batch of the bulk lane: as many as come back in time."""

import math
from dataclasses import dataclass


@dataclass(slots=True, kw_only=True)
class BatchSize:
    """Halved down to a single text while batches are lost, so that something is embedded on any machine."""

    texts: int
    """How many the next batch has."""
    largest: int
    quick_seconds: float = math.inf
    """Batches that take less time grow."""
    slow_seconds: float = math.inf
    """Those that take more shrink, as if they were lost."""

    def learn(self, seconds: float, *, lost: bool) -> None:
        """`lost`: not all of the last batch was embedded in time."""
        if lost or seconds > self.slow_seconds:
            self.texts = max(self.texts // 2, 1)
        elif seconds < self.quick_seconds:
            self.texts = min(self.texts * 2, self.largest)
