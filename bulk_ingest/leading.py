"""A process that leads one job, as its own program: the engine, what is shown meanwhile, the exit code."""

import os
import socket
import sys
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import NoReturn

from django.db.utils import Error

from bulk_ingest.embedded_texts import ModelUnusable
from bulk_ingest.engines.base import EngineRun
from bulk_ingest.engines.local import local_engine
from bulk_ingest.finishing import USUAL, Finishing
from bulk_ingest.job import Leader, LeaseLost
from bulk_ingest.shown import Shown
from bulk_ingest.sources.raw import SourceError
from embedding_project.config import load_config
from embedding_project.contracts.errors import InvalidRequest, ServiceError
from embeddings_app.models import BulkJob, BulkState, BulkWish
from embeddings_app.services.bulk.progress import progress
from supervisor.java import SPARK_VENV

DONE, FAILED, DONE_WITH_REJECTS, PAUSED = 0, 1, 3, 4
"""Exit codes of the commands that work on a job."""
ENGINES = ("local", "spark")
DEFAULT_WORKERS, DEFAULT_MASTER, DEFAULT_LOADERS = 2, "local[2]", 8


def exit_code(act: Callable[[], int]) -> int:
    """What the act gives; 1 where it cannot be done, with a line that says why."""
    try:
        return act()
    except (SourceError, LeaseLost, ModelUnusable) as error:
        return fail(str(error))
    except ServiceError as error:
        return fail(error.message)
    except Error as error:
        return fail(f"the database failed: {str(error).strip().splitlines()[0]}")


def fail(reason: str) -> int:
    print(f"bulk_ingest: {reason}", file=sys.stderr)
    return FAILED


def folder_of_jobs() -> Path:
    return load_config().var_dir / "bulk"


def engine_of(job: BulkJob) -> str:
    return str(job.options.get("engine", ENGINES[0]))


def lead_here(job: BulkJob, workers: int, *, await_replicas: bool = True) -> int:
    """Work on the job with processes of this machine."""
    finishing = Finishing(builders=workers, await_replicas=await_replicas)
    return lead(job, local_engine(workers), workers, finishing)


def leader(engine: EngineRun, processes: int, finishing: Finishing = USUAL) -> Leader:
    """This process, as the leader of one job."""
    name = f"{socket.gethostname()}:{os.getpid()}:{time.time_ns()}"
    return Leader(name, folder_of_jobs(), engine, processes, finishing)


def lead(job: BulkJob, engine: EngineRun, processes: int = 1, finishing: Finishing = USUAL) -> int:
    """Work on the job until it ends, fails or is paused; the exit code."""
    with Shown(job.pk, sys.stderr):
        job = leader(engine, processes, finishing).lead(job.pk)
    found = progress(job)
    print(line_of(job))
    if job.state == BulkState.FAILED:
        return fail(job.error)
    if job.state not in (BulkState.DONE, BulkState.ABORTED):
        print(f"'manage.py bulk_ingest resume {job.pk}' goes on")
        return PAUSED
    if not found.rows.rejected or job.state == BulkState.ABORTED:
        return DONE
    print(f"'manage.py bulk_ingest rejects {job.pk}' lists the rejected rows")
    return DONE_WITH_REJECTS


def line_of(job: BulkJob) -> str:
    """How far a job is."""
    found = progress(job)
    name = f"bulk job {job.pk}  {job.namespace_name}  {job.state}"
    if job.state in (BulkState.DONE, BulkState.ABORTED):
        return f"{name}  {found.rows.read:,} rows read, {found.rows.rejected:,} rejected"
    wish = "" if job.wanted == BulkWish.RUN else f", {job.wanted} wanted"
    return f"{name}{wish}  {found.stage} {found.share:.0%}"


def lead_with_spark(job: BulkJob, master: str, loaders: int) -> NoReturn:
    """Go on as the program that leads jobs with Spark, in the environment that has it. Raises InvalidRequest."""
    arguments = ("-m", "bulk_ingest.spark.entry", "--job", str(job.pk), "--master", master, "--loaders", str(loaders))
    python = spark_python()
    os.execv(python, [python, *arguments])


def spark_python() -> str:
    """Of this process, where it has pyspark; else what `make setup-spark` made. Raises InvalidRequest."""
    if find_spec("pyspark"):
        return sys.executable
    python = SPARK_VENV / "bin" / "python"
    if not python.exists():
        raise InvalidRequest("invalid_value", "pyspark is not installed: type 'make setup-spark'")
    return str(python)
