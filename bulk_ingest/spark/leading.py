"""Leads one job with Spark, as a program of its own."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from pyspark.sql import SparkSession

from bulk_ingest import leading
from bulk_ingest.engines.base import Engine
from bulk_ingest.spark.engine import SparkEngine
from embedding_project.contracts.errors import ServiceError
from embeddings_app.models import BulkWish
from embeddings_app.services.audit import command_actor
from embeddings_app.services.bulk.jobs import find_job, want


def lead(job_key: int, start_session: Callable[[], SparkSession], loaders: int) -> int:
    """The exit code. Raises what starting the session raises."""
    return leading.exit_code(lambda: _lead(job_key, start_session, loaders))


def _lead(job_key: int, start_session: Callable[[], SparkSession], loaders: int) -> int:
    job = find_job(job_key)
    if leading.engine_of(job) != "spark":
        raise ServiceError("illegal_step", f"{job}, and it was made for the engine {leading.engine_of(job)}: resume it")
    if job.wanted == BulkWish.PAUSE:
        want(job, BulkWish.RUN, command_actor())
    return leading.lead(job, _engine(start_session, loaders))


@contextmanager
def _engine(start_session: Callable[[], SparkSession], loaders: int) -> Iterator[Engine]:
    """A session for as long as the job is led."""
    session = start_session()
    try:
        yield SparkEngine(session, loaders)
    finally:
        session.stop()
