"""How far a run is, for answers and pages."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.utils import timezone

from embeddings_app.models import ReembedRun, RunState
from embeddings_app.records import quarantine, reembedding
from embeddings_app.records.quarantine import FailedText
from embeddings_app.records.reembedding import ChunkCounts

MAX_FAILED_TEXTS = 100


@dataclass(frozen=True, slots=True)
class RunProgress:
    counts: ChunkCounts
    total: int
    """Documents when the run began."""
    share: float
    """0 to 1."""
    documents_per_second: float
    """On the average of the run, its pauses included."""
    seconds_left: float | None
    """None while nothing is done yet, and for a run that does not run."""
    ended_at: datetime | None


def progress(run: ReembedRun) -> RunProgress:
    """Counts, rate and expected end of the run as it was read."""
    return _progress(run, reembedding.run_counts(run.pk))


def newest_runs(limit: int, before: int | None = None) -> list[tuple[ReembedRun, RunProgress]]:
    """Up to `limit` runs that began before the run `before`, if there is one; the newest first."""
    runs = ReembedRun.objects.select_related("model_version").order_by("-pk")
    page = list((runs if before is None else runs.filter(pk__lt=before))[:limit])
    counts = reembedding.counts_of_runs([run.pk for run in page])
    return [(run, _progress(run, counts[run.pk])) for run in page]


def progresses(runs: Sequence[ReembedRun]) -> dict[int, RunProgress]:
    """Key of a run -> its progress."""
    counts = reembedding.counts_of_runs([run.pk for run in runs])
    return {run.pk: _progress(run, counts[run.pk]) for run in runs}


def _progress(run: ReembedRun, counts: ChunkCounts) -> RunProgress:
    done = counts.embedded + counts.refused + counts.not_kept
    seconds = max(((run.ended_at or timezone.now()) - run.started_at).total_seconds(), 0.001)
    rate = done / seconds
    finished = run.state == RunState.FINISHED
    left = max(run.documents_total - done, 0)
    return RunProgress(
        counts=counts,
        total=run.documents_total,
        share=1.0 if finished else min(done / run.documents_total, 1.0) if run.documents_total else 0.0,
        documents_per_second=round(rate, 1),
        seconds_left=round(left / rate, 1) if done and run.state == RunState.RUNNING else None,
        ended_at=run.ended_at,
    )


def failed_texts(run: ReembedRun, after: int = 0, limit: int = MAX_FAILED_TEXTS) -> Sequence[FailedText]:
    """Documents that the version has no vector of, and why, in the order of their records beyond the key `after`."""
    return quarantine.failed_texts(run.model_version_id, after, limit)
