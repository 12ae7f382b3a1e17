"""Trimming: the logs and the tombstones do not grow for ever. Run by the indexers every minute."""

import time

from embeddings_app.records.log_trimming import LogFloor, log_entries, log_floors, trim_chunk
from embeddings_app.records.topology import forget_silent_replicas
from embeddings_app.records.transactions import in_transaction
from embeddings_app.services.indexing.trimming_metrics import ENTRIES_TRIMMED, LOG_ENTRIES, TOMBSTONES_PURGED

CHUNK_ENTRIES = 1_000
"""In one transaction: short enough that a writer who meets a tombstone in it does not notice."""
_RUN_SECONDS = 5.0
"""A run ends after this: it takes a thread that the sweep may want, and what is left waits for the next."""


def trim_logs(retention_hours: int) -> None:
    """Delete what is older than the retention and needed by no replica, oldest first, for some seconds at most."""
    until = time.monotonic() + _RUN_SECONDS
    waiting = log_floors(retention_hours)
    while waiting and time.monotonic() < until:
        # A chunk of each in turn: no log waits for a longer one.
        waiting = [log for log in waiting if _trim(log, retention_hours)]
    # Those hold nothing back any more, and would be shown as silent for good.
    forget_silent_replicas(retention_hours)
    LOG_ENTRIES.set(log_entries())


def _trim(log: LogFloor, retention_hours: int) -> bool:
    """Take one chunk; whether there may be more."""
    trimmed = in_transaction(lambda: trim_chunk(log, retention_hours, CHUNK_ENTRIES))
    ENTRIES_TRIMMED.inc(trimmed.entries)
    TOMBSTONES_PURGED.inc(trimmed.tombstones)
    return trimmed.entries == CHUNK_ENTRIES
