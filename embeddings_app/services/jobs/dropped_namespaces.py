"""Dropped namespaces: their documents go here, a chunk in each transaction, until nothing is left of them."""

from embeddings_app.services.documents.namespace_changes import empty_dropped
from embeddings_app.services.jobs.job import Done, Job, Run


def _empty(run: Run) -> Done:
    done = empty_dropped(run.seconds_left(), run.progress)
    result = {"documents_deleted": done.documents, "namespaces_forgotten": done.forgotten}
    return Done(result=result, progress=done.reached, problem=done.problem)


DROPPED_NAMESPACES = Job(
    name="dropped-namespaces",
    purpose="Deletes the documents of namespaces that were dropped.",
    work=_empty,
    every_seconds=5,
    at_least_seconds=1,
    at_most_seconds=300,
    run_seconds=4.0,
    essential=True,
    keeps_every_run=False,
)
