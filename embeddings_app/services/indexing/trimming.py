"""Trimming: keeps the logs and the tombstones small. The indexers run it every minute."""

import time

from prometheus_client import Counter, Gauge

from embeddings_app.records.log_trimming import LogFloor, log_entries, log_floors, trim_chunk
from embeddings_app.records.topology import forget_silent_replicas
from embeddings_app.records.transactions import in_transaction

ENTRIES_TRIMMED = Counter("log_entries_trimmed_total", "Log entries deleted because nobody needs them any more.")
TOMBSTONES_PURGED = Counter("log_tombstones_purged_total", "Tombstones deleted because no log names them any more.")
LOG_ENTRIES = Gauge("log_entries", "Entries in all logs, as of the last trimming.", multiprocess_mode="mostrecent")
CHUNK_ENTRIES = 1_000
"""In one transaction: short enough that a writer who meets a tombstone in it does not notice."""
_RUN_SECONDS = 5.0
"""A run ends after this: it takes a thread that the sweep may want, and what is left waits for the next."""


def trim_logs(retention_hours: int, chunk_entries: int = CHUNK_ENTRIES) -> None:
    """Delete what is older than the retention and needed by no replica, oldest first, for some seconds at most."""
    until = time.monotonic() + _RUN_SECONDS
    waiting = log_floors(retention_hours)
    while waiting and time.monotonic() < until:
        # A chunk of each in turn: no log waits for a longer one.
        waiting = [log for log in waiting if _trim(log, retention_hours, chunk_entries)]
    # These replicas hold nothing back any more; the admin would show them as silent without end.
    forget_silent_replicas(retention_hours)
    LOG_ENTRIES.set(log_entries())


def _trim(log: LogFloor, retention_hours: int, chunk_entries: int) -> bool:
    """Take one chunk; whether there may be more."""
    entries, tombstones = in_transaction(lambda: trim_chunk(log, retention_hours, chunk_entries))
    ENTRIES_TRIMMED.inc(entries)
    TOMBSTONES_PURGED.inc(tombstones)
    return entries == chunk_entries
