"""Retention: keeps what is written down about jobs small. The audit log is kept for good."""

from embeddings_app.records.jobs import prune_runs
from embeddings_app.services.jobs.job import Done, Job, Run

KEPT_RUNS = 200
"""Of each job, of those that ended well, of those that failed, and of those that were abandoned."""


def _retain(_run: Run) -> Done:
    return Done(result={"runs_deleted": prune_runs(KEPT_RUNS)})


RETENTION = Job(
    name="retention",
    purpose=f"Deletes the history of jobs beyond {KEPT_RUNS} runs of each job and outcome.",
    work=_retain,
    every_seconds=3_600,
    at_least_seconds=60,
    at_most_seconds=24 * 3_600,
    run_seconds=10.0,
    essential=True,
)
