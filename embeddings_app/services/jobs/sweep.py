"""Sweep: finds work whose hint was lost, and tells an indexer. It runs every few seconds, so it must stay cheap."""

from embedding_project.broker.dispatch import send_index_hint
from embeddings_app.records.claims import any_due
from embeddings_app.services.indexing.hints_sent import hint_of_anything
from embeddings_app.services.jobs.job import Done, Job, Run


def _sweep(_run: Run) -> Done:
    found = any_due()
    if found:
        send_index_hint(hint_of_anything())
    return Done(result={"work_found": found})


SWEEP = Job(
    name="sweep",
    purpose="Finds documents that wait for their vector and whose hint was lost.",
    work=_sweep,
    every_seconds=3,
    at_least_seconds=1,
    at_most_seconds=5,
    run_seconds=2.0,
    essential=True,
    keeps_every_run=False,
)
