"""Builds run in lanes beside one another, by the rows that they insert: no small one waits for a large one."""

import math
from dataclasses import dataclass

USUAL_NICENESS = 5
"""As for other background roles. With 10, rows waited so long for a graph on a busy machine that searches slowed."""
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
    niceness: int = USUAL_NICENESS
    threads_per_core: float = 0.5
    """The other cores serve searches and the rest of the machine."""
    least_threads: int = _LEAST_THREADS
    least_rows_a_second: int = 100
    """A twentieth of the usual pace: a builder that is slower is ended, after some minutes."""

    def takes(self, rows: int) -> bool:
        """Whether a build that inserts so many rows belongs into this lane."""
        return self.least_rows <= rows <= self.most_rows

    def threads(self, cores: int) -> int:
        """Of one builder, on a machine with so many cores."""
        return min(cores, max(self.least_threads, int(cores * self.threads_per_core)))


ANY_SIZE = Lane(name="any")
LANES = (
    Lane(name="small", most_rows=SMALL_BUILD_ROWS),
    Lane(name="large", least_rows=SMALL_BUILD_ROWS + 1),
)
BACKGROUND = Lane(name="background", niceness=10, threads_per_core=0.25, least_threads=1, least_rows_a_second=10)
"""For indexes that no search needs yet: they may take longer. They are a lane of their own, so that the builds of other
indexes do not wait for theirs."""
