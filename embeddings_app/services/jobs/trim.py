"""Trim: forgets the part of the logs, and the tombstones, that nobody needs any more."""

from dataclasses import asdict

from embedding_project.config import load_config
from embeddings_app.services.indexing.trimming import trim_logs
from embeddings_app.services.jobs.job import Done, Job, Run


def _trim(run: Run) -> Done:
    return Done(result=asdict(trim_logs(load_config().log_retention_hours, run.seconds_left())))


TRIM = Job(
    name="trim",
    purpose="Deletes entries of the change log, tombstones, and bundles that nobody needs any more.",
    work=_trim,
    every_seconds=60,
    at_least_seconds=5,
    at_most_seconds=3_600,
    run_seconds=5.0,
    essential=True,
)
