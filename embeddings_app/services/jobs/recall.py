"""Recall: measures what searches of clients find, and how broad a search must be to find enough."""

from embeddings_app.services.jobs.job import Done, Job, Run
from embeddings_app.services.quality.refreshing import sample_recall


def _sample(run: Run) -> Done:
    return Done(result={"recall": sample_recall(run.deadline)})


RECALL = Job(
    name="recall",
    purpose="Measures with kept searches what the active versions find, and the breadth that auto needs.",
    work=_sample,
    every_seconds=300,
    at_least_seconds=60,
    at_most_seconds=24 * 3_600,
    run_seconds=60.0,
)
