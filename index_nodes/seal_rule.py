"""When the newest segment of a collection takes no more rows."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class SealRule:
    """When to close the fresh segment, so that a graph can be built from it."""

    rows: int = 4_096
    quiet_rows: int = 256
    """Enough rows for a graph after `quiet_seconds` without a new row."""
    quiet_seconds: float = 3.0
    waiting_rows: int = 8_192
    """How many sealed rows a build waits for, at least, while rows keep coming."""
