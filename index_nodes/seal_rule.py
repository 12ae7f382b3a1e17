"""When the newest segment of a collection takes no more rows."""

import math
from dataclasses import dataclass

from embedding_project.contracts.limits import LEAST_WAITING_ROWS, MOST_WAITING_ROWS, SEGMENT_ROWS


@dataclass(frozen=True, slots=True, kw_only=True)
class SealRule:
    """When to close the fresh segment, so that a graph can be built from it."""

    rows: int = SEGMENT_ROWS
    quiet_rows: int = 256
    """Enough rows for a graph after `quiet_seconds` without a new row."""
    quiet_seconds: float = 3.0
    waiting_rows: int = LEAST_WAITING_ROWS
    """How many sealed rows a build waits for, at least, while rows keep coming."""

    def is_overdue(self, unbuilt: int, graph_rows: int) -> bool:
        """Whether more documents are in no graph than a build waits for, of a namespace with so many rows in graphs."""
        enough = max(self.waiting_rows, min(graph_rows, MOST_WAITING_ROWS))
        return unbuilt > self.rows * math.ceil(enough / self.rows)
