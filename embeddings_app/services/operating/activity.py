"""What the service works on beside requests: texts that wait, re-embeddings, bulk jobs."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from embeddings_app.models import BulkJob
from embeddings_app.services.bulk.imports import newest_imports
from embeddings_app.services.bulk.progress import progress

SHOWN = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class BulkProgress:
    """How far a bulk job is."""

    job_id: int
    namespace: str
    model_id: str
    state: str
    stage: str
    """What it does now: spreading for a planned one, else its state."""
    share: float
    """Of the stage, 0 to 1."""
    rows_read: int
    rows_settled: int
    rejected: int
    rows_per_second: float | None
    """Lately; None unless it is loading."""
    seconds_left: float | None
    problem: str
    started_at: datetime
    ended_at: datetime | None


def newest_bulk_jobs(namespaces: Collection[str], limit: int = SHOWN) -> list[BulkProgress]:
    """Those into these namespaces, the newest first; empty for any."""
    return [_bulk_progress(job) for job in newest_imports(namespaces, limit)]


def _bulk_progress(job: BulkJob) -> BulkProgress:
    found = progress(job)
    return BulkProgress(
        job_id=job.pk,
        namespace=job.namespace_name,
        model_id=job.model_version.model_id,
        state=job.state,
        stage=found.stage,
        share=round(min(found.share, 1.0), 4),
        rows_read=found.rows.read,
        rows_settled=found.rows.settled,
        rejected=found.rows.rejected,
        rows_per_second=found.rate,
        seconds_left=found.eta_seconds,
        problem=job.error,
        started_at=job.created_at,
        ended_at=job.ended_at,
    )
