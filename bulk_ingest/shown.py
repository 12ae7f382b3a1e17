"""The progress of a job for somebody who waits: one line a second."""

import threading
import time
from typing import TextIO

from django.db import connection
from django.db.utils import Error

from embeddings_app.management.progress_line import bar
from embeddings_app.models import BulkJob
from embeddings_app.services.bulk.progress import Progress, progress

_SECONDS = 1.0


class Shown:
    """Writes from a thread of its own while the block runs."""

    def __init__(self, job_key: int, out: TextIO) -> None:
        self._job_key = job_key
        self._out = out
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._show, name="bulk-progress", daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _show(self) -> None:
        watched = _Watched()
        try:
            while not self._ended.wait(_SECONDS):
                try:
                    found = progress(BulkJob.objects.get(pk=self._job_key))
                except Error:
                    continue
                print(watched.line(found), file=self._out, flush=True)
        finally:
            connection.close()


class _Watched:
    """A stage since this process began to look at it."""

    def __init__(self) -> None:
        self._stage = ""
        self._first_share = 0.0
        self._began = 0.0
        self._rows = 0
        self._looked_at = 0.0

    def line(self, found: Progress) -> str:
        now, rows = time.monotonic(), found.moved
        if found.stage != self._stage:
            self._stage, self._began, self._first_share = found.stage, now, found.share
            self._rows, self._looked_at = rows, now
        seen = max(rows - self._rows, 0) / max(now - self._looked_at, 1e-9)
        rate = found.rate if found.rate is not None else seen
        self._rows, self._looked_at = rows, now
        left = found.eta_seconds if found.eta_seconds is not None else self._seconds_left(found.share, now)
        told = "time left unknown" if left is None else f"{left:,.0f} s left"
        drawn = bar(found.share, 1.0)
        return (
            f"{found.stage:<11} {drawn} {found.share:.0%}, {rate:,.0f} rows/s, {told}, {found.rows.rejected} rejected"
        )

    def _seconds_left(self, share: float, now: float) -> float | None:
        gained = share - self._first_share
        return (1 - share) * (now - self._began) / gained if gained > 0 else None
