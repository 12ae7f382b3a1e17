"""Timestamps in texts: one of RFC 3339 with an offset names an instant, and another offset may name the same one.

RFC 3339 lets a space stand for the T; Python and Postgres write timestamps so.
"""

import re
from datetime import UTC, datetime, timedelta

_TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)", re.ASCII)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SHORTEST = len("2026-01-01T00:00:00Z")


def instant(text: str) -> int | None:
    """Microseconds since 1970; None for a text that is not a timestamp with an offset."""
    if len(text) < _SHORTEST or not _TIMESTAMP.fullmatch(text):
        return None
    try:
        return (datetime.fromisoformat(text.upper()) - _EPOCH) // timedelta(microseconds=1)
    except ValueError:
        return None
