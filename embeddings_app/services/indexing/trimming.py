"""Trimming: keeps the logs and the tombstones small. A periodic job runs it."""

import random
import time
from collections.abc import Sequence
from dataclasses import dataclass

from django.db import DatabaseError
from prometheus_client import Counter, Gauge

from embedding_project.contracts.errors import ServiceError
from embeddings_app.records.log_trimming import LogFloor, log_entries, log_floors, trim_chunk
from embeddings_app.records.topology import forget_silent_replicas
from embeddings_app.records.transactions import in_transaction
from embeddings_app.services.bulk.bundles import remove_needless

ENTRIES_TRIMMED = Counter("log_entries_trimmed_total", "Log entries deleted because nobody needs them any more.")
TOMBSTONES_PURGED = Counter("log_tombstones_purged_total", "Tombstones deleted because no log names them any more.")
LOG_ENTRIES = Gauge("log_entries", "Entries in all logs, as of the last trimming.", multiprocess_mode="mostrecent")
CHUNK_ENTRIES = 1_000
"""In one transaction: short enough that a writer who meets a tombstone in it does not notice."""
TRIM_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Trimmed:
    entries: int
    tombstones: int
    bundles: int = 0


def trim_logs(retention_hours: int, seconds: float = TRIM_SECONDS, chunk_entries: int = CHUNK_ENTRIES) -> Trimmed:
    """Delete what is older than the retention and needed by no replica, oldest first, for so long at most. Raises what
    went wrong with a log, after all others had their turns."""
    until = time.monotonic() + seconds
    entries = tombstones = 0
    failure: DatabaseError | ServiceError | None = None
    floors = log_floors(retention_hours)
    # In another order each time: one that cannot be trimmed may take all of the time.
    waiting: Sequence[LogFloor] = random.sample(floors, len(floors))
    while waiting and time.monotonic() < until:
        # A chunk of each in turn: no log waits for a longer one.
        chunks: list[tuple[LogFloor, Trimmed]] = []
        for log in waiting:
            if (chunks or failure) and time.monotonic() > until:
                break
            try:
                chunks.append((log, _trim(log, retention_hours, chunk_entries)))
            except (DatabaseError, ServiceError) as error:
                failure = failure or error
        entries += sum(chunk.entries for _, chunk in chunks)
        tombstones += sum(chunk.tombstones for _, chunk in chunks)
        waiting = [log for log, chunk in chunks if chunk.entries == chunk_entries]
    # These replicas hold nothing back any more; the admin would show them as silent without end.
    forget_silent_replicas(retention_hours)
    LOG_ENTRIES.set(log_entries())
    bundles = remove_needless(retention_hours)
    if failure:
        raise failure
    return Trimmed(entries, tombstones, bundles)


def _trim(log: LogFloor, retention_hours: int, chunk_entries: int) -> Trimmed:
    """Take one chunk. One that is full may not be the last."""
    trimmed = Trimmed(*in_transaction(lambda: trim_chunk(log, retention_hours, chunk_entries)))
    ENTRIES_TRIMMED.inc(trimmed.entries)
    TOMBSTONES_PURGED.inc(trimmed.tombstones)
    return trimmed
