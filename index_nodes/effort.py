"""How much a search may do: until when somebody waits for it, and what it may read at a time on its lane."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass


class Overdue(Exception):
    """Nobody waits for the answer any more."""


class TooHeavy(Exception):
    """The search would read more than its lane allows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Effort:
    deadline: float = math.inf
    """Monotonic seconds."""
    most_microseconds: float = math.inf
    """What one part of the search may cost, by `contracts.search_costs`."""
    clock: Callable[[], float] = time.monotonic

    def go_on(self) -> None:
        """Between two pieces of a long search. Raises Overdue."""
        if self.clock() >= self.deadline:
            raise Overdue

    def afford(self, microseconds: float) -> None:
        """Before a part whose cost depends on sizes. Raises TooHeavy."""
        if microseconds > self.most_microseconds:
            raise TooHeavy


ANY_EFFORT = Effort()
