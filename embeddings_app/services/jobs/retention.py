"""Retention: keeps what is written down about jobs small, and lets go of what clients searched. The audit log stays."""

from embedding_project.contracts.limits import KEPT_ANSWER_HOURS
from embeddings_app.records.jobs import prune_runs
from embeddings_app.records.kept_answers import delete_expired_answers
from embeddings_app.records.search_samples import KEPT_DAYS, prune_samples
from embeddings_app.services.embedding.hot_texts import halve_due
from embeddings_app.services.jobs.job import Done, Job, Run

KEPT_RUNS = 200
"""Of each job, of those that ended well, of those that failed, and of those that were abandoned."""


_ANSWERS_AT_ONCE = 5_000


def _retain(run: Run) -> Done:
    deleted = {"runs_deleted": prune_runs(KEPT_RUNS), "searches_deleted": prune_samples()}
    deleted["answers_deleted"] = _delete_answers(run)
    return Done(result={**deleted, "hot_texts_halved": halve_due()})


def _delete_answers(run: Run) -> int:
    deleted = 0
    while some := delete_expired_answers(_ANSWERS_AT_ONCE):
        deleted += some
        if some < _ANSWERS_AT_ONCE or run.seconds_left() <= 0:
            break
    return deleted


RETENTION = Job(
    name="retention",
    purpose=f"Deletes the history of jobs beyond {KEPT_RUNS} runs of each job and outcome, and searches of clients "
    f"that were kept for {KEPT_DAYS} days or whose namespace has no document any more. Halves the counts of query "
    f"texts once a day. Deletes the answers to writes with an Idempotency-Key after {KEPT_ANSWER_HOURS} hours.",
    work=_retain,
    every_seconds=3_600,
    at_least_seconds=60,
    at_most_seconds=24 * 3_600,
    run_seconds=10.0,
    essential=True,
)
