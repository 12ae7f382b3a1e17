"""How far a job is: from its rows in Postgres, so that any process can tell."""

import time
from dataclasses import dataclass

from django.db.models import Count, Sum

from embeddings_app.models import BulkBlock, BulkFile, BulkJob, BulkState
from embeddings_app.records import bulk_jobs
from embeddings_app.records.bulk_jobs import RowCounts


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    stage: str
    share: float
    """Of the stage, from 0 to 1."""
    rows: RowCounts


def progress(job: BulkJob) -> Progress:
    counts = bulk_jobs.count_rows(job.pk)
    if job.state == BulkState.PLANNED:
        files = BulkFile.objects.filter(job=job)
        total = files.aggregate(size=Sum("size"))["size"] or 0
        done = files.filter(spread__isnull=False).aggregate(size=Sum("size"))["size"] or 0
        return Progress(stage="spreading", share=done / total if total else 1.0, rows=counts)
    if job.state == BulkState.LOADING:
        buckets = len(job.splitters) + 1
        loaded = job.buckets.aggregate(count=Count("number"))["count"]
        return Progress(stage="loading", share=loaded / buckets, rows=counts)
    block = BulkBlock.objects.filter(pk=job.pk).first()
    if job.state == BulkState.REGISTERING and block is not None:
        keys = block.last_key - block.first_key + 1
        return Progress(stage="registering", share=(block.opened_to - block.first_key + 1) / keys, rows=counts)
    return Progress(stage=str(job.state), share=1.0, rows=counts)


class Rate:
    """Rows a second since it was last asked."""

    def __init__(self) -> None:
        self._rows = 0
        self._at = time.monotonic()

    def of(self, rows: int) -> float:
        now = time.monotonic()
        rate = max(rows - self._rows, 0) / max(now - self._at, 1e-9)
        self._rows, self._at = rows, now
        return rate
