"""When the newest segment of a collection takes no more rows."""

from dataclasses import dataclass

from embedding_project.contracts.limits import LEAST_WAITING_ROWS, SEGMENT_ROWS


@dataclass(frozen=True, slots=True, kw_only=True)
class SealRule:
    """When to close the fresh segment, so that a graph can be built from it."""

    rows: int = SEGMENT_ROWS
    quiet_rows: int = 256
    """Enough rows for a graph after `quiet_seconds` without a new row."""
    quiet_seconds: float = 3.0
    waiting_rows: int = LEAST_WAITING_ROWS
    """How many sealed rows a build waits for, at least, while rows keep coming."""
