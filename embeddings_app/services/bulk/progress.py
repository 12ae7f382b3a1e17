"""How far a job is: from its rows in Postgres, so that any process can tell."""

from dataclasses import dataclass, replace

from django.db.models import Sum

from embeddings_app.models import BulkBlock, BulkFile, BulkJob, BulkState
from embeddings_app.records import bulk_jobs
from embeddings_app.records.bulk_jobs import RowCounts
from embeddings_app.services.bulk.bundles import ready_share
from embeddings_app.services.bulk.jobs import state_before_failure


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    stage: str
    share: float
    """Of the stage, from 0 to 1."""
    rows: RowCounts
    moved: int = 0
    """Rows that are read or loaded, those of tasks that have not ended yet too."""
    rate: float | None = None
    """Rows a second that came into the tables lately; None while none does."""
    eta_seconds: float | None = None
    """Until all rows are in the tables, at this rate."""


def progress(job: BulkJob) -> Progress:
    counts = bulk_jobs.count_rows(job.pk)
    if job.state == BulkState.FAILED:
        # It goes on where it was.
        return replace(
            _progress(job, state_before_failure(job), counts), stage=str(job.state), rate=None, eta_seconds=None
        )
    return _progress(job, BulkState(job.state), counts)


def _progress(job: BulkJob, state: BulkState, counts: RowCounts) -> Progress:
    if state == BulkState.PLANNED:
        files = BulkFile.objects.filter(job=job)
        total = files.aggregate(size=Sum("size"))["size"] or 0
        done = files.filter(spread__isnull=False).aggregate(size=Sum("size"))["size"] or 0
        # Large files have many rows, so how many were expected says how much of a file its rows are.
        begun = job.under_way / job.options["rows"] if job.options.get("rows") else 0.0
        share = min(1.0, done / total + begun) if total else 1.0
        moved = counts.read + job.under_way
        return Progress(stage="spreading", share=share, rows=counts, moved=moved)
    if state == BulkState.LOADING:
        moved = min(counts.settled + job.under_way, counts.read)
        rate = bulk_jobs.load_rate(job.pk) or job.under_way_rate or None
        return Progress(
            stage="loading",
            share=moved / counts.read if counts.read else 1.0,
            rows=counts,
            moved=moved,
            rate=rate,
            eta_seconds=(counts.read - moved) / rate if rate else None,
        )
    if state == BulkState.BUILDING:
        built = job.bundles.aggregate(rows=Sum("rows"))["rows"] or 0
        return Progress(stage="building", share=min(1.0, built / max(counts.inserted, 1)), rows=counts)
    if state == BulkState.PREPARING:
        return Progress(stage="preparing", share=ready_share(job), rows=counts)
    block = BulkBlock.objects.filter(pk=job.pk).first()
    if state == BulkState.REGISTERING and block is not None:
        keys = block.last_key - block.first_key + 1
        return Progress(stage="registering", share=(block.opened_to - block.first_key + 1) / keys, rows=counts)
    # Nothing of a queued job is done, and how much is left to delete of one that aborts nobody counts.
    ended = state in (BulkState.DONE, BulkState.ABORTED)
    return Progress(stage=str(state), share=1.0 if ended else 0.0, rows=counts)
