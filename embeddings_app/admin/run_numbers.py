"""What the page of a run shows, as text and bars: made here once, drawn by the page and refreshed by its script."""

from typing import Any

from django.utils import timezone

from embedding_project.contracts.errors import ERROR_KINDS
from embeddings_app.admin.dashboard_numbers import COLLECTING, rate
from embeddings_app.admin.quantities import about
from embeddings_app.models import ReembedRun, RunState
from embeddings_app.services.reembedding.progress import progress
from embeddings_app.services.reembedding.rates import rates

NOT_KNOWN = "not known yet"
RUN_TILES = (
    ("done", "Documents done"),
    ("now", "Per second, now"),
    ("rate", "Per second, average"),
    ("left", "Time left"),
    ("cached", "Vectors from the cache"),
    ("refused", "Failed by themselves"),
    ("not_kept", "Text not kept"),
)
_TONES = {RunState.RUNNING: "run", RunState.PAUSED: "warn", RunState.FINISHED: "good", RunState.CANCELLED: "bad"}


def run_numbers(run: ReembedRun) -> dict[str, Any]:
    """For JSON. The state is there so that the page notices when other actions become possible."""
    found, bars = progress(run), rates(run)
    counts = found.counts
    done = counts.embedded + counts.refused + counts.not_kept
    return {
        "at": f"{timezone.now():%H:%M:%S}",
        "state": run.state,
        "tone": _TONES[RunState(run.state)],
        "percent": round(100 * found.share, 1),
        "problem": problem_text(run),
        "done": done,
        "tiles": {
            "done": {"text": f"{done:,} of {found.total:,}", "tone": ""},
            # The page finds it out by looking twice.
            "now": {"text": COLLECTING if run.state == RunState.RUNNING else "none", "tone": ""},
            "rate": {"text": rate(found.documents_per_second), "tone": ""},
            "left": {"text": time_left(run, found.seconds_left), "tone": ""},
            "cached": {"text": f"{counts.cached:,}", "tone": ""},
            "refused": {"text": f"{counts.refused:,}", "tone": "warn" if counts.refused else ""},
            "not_kept": {"text": f"{counts.not_kept:,}", "tone": "warn" if counts.not_kept else ""},
        },
        "bars": {"seconds": round(bars.bar_seconds, 3), "per_second": bars.per_second},
    }


def time_left(run: ReembedRun, seconds: float | None) -> str:
    if run.state == RunState.RUNNING:
        return NOT_KNOWN if seconds is None else about(seconds)
    return "paused" if run.state == RunState.PAUSED else "none"


def problem_text(run: ReembedRun) -> str:
    """What holds the run up, empty when nothing does."""
    if not run.problem or run.state not in (RunState.RUNNING, RunState.PAUSED):
        return ""
    kind = ERROR_KINDS.get(run.problem)
    return f"{run.problem}: {kind.meaning}" if kind else run.problem
