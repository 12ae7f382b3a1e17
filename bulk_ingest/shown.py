"""The progress of a job for somebody who waits: one line a second."""

import threading
import time
from typing import TextIO

from django.db import connection
from django.db.utils import Error

from bulk_ingest.progress import Rate, progress
from embeddings_app.models import BulkJob

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
        rate, began, stage = Rate(), time.monotonic(), ""
        try:
            while not self._ended.wait(_SECONDS):
                try:
                    found = progress(BulkJob.objects.get(pk=self._job_key))
                except Error:
                    continue
                if found.stage != stage:
                    began, stage = time.monotonic(), found.stage
                rows = found.rows.read if stage == "spreading" else found.rows.inserted + found.rows.updated
                spent = time.monotonic() - began
                left = f"{spent / found.share - spent:,.0f} s left" if found.share > 0 else "time left unknown"
                line = f"{stage} {found.share:.0%}, {rate.of(rows):,.0f} rows/s, {left}, {found.rows.rejected} rejected"
                print(line, file=self._out, flush=True)
        finally:
            connection.close()
