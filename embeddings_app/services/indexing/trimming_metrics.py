"""What trimming counts. Shared between processes through prometheus_client's own directory when that is set."""

from prometheus_client import Counter, Gauge

ENTRIES_TRIMMED = Counter("log_entries_trimmed_total", "Log entries deleted because nobody needs them any more.")
TOMBSTONES_PURGED = Counter("log_tombstones_purged_total", "Tombstones deleted because no log names them any more.")
LOG_ENTRIES = Gauge("log_entries", "Entries in all logs, as of the last trimming.", multiprocess_mode="mostrecent")
