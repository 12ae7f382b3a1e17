"""Builds run in lanes beside one another, by the rows that they insert: no small one waits for a large one."""

import math
from dataclasses import dataclass

SMALL_BUILD_ROWS = 65_536
"""A build of more rows is large: it takes more than about twenty seconds on two cores."""
_LEAST_THREADS = 2
"""Measured on two cores: the second thread makes a build 1.5 times as fast, and costs no processor time a row."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lane:
    """On a machine one build of each lane runs at a time."""

    name: str
    least_rows: int = 0
    most_rows: float = math.inf

    def takes(self, rows: int) -> bool:
        """Whether a build that inserts so many rows belongs into this lane."""
        return self.least_rows <= rows <= self.most_rows


ANY_SIZE = Lane(name="any")
LANES = (
    Lane(name="small", most_rows=SMALL_BUILD_ROWS),
    Lane(name="large", least_rows=SMALL_BUILD_ROWS + 1),
)


def builder_threads(cores: int) -> int:
    """Half of the cores: the others serve searches and the rest of the machine."""
    return min(cores, max(_LEAST_THREADS, cores // 2))
