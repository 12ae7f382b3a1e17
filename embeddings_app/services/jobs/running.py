"""The frame of every periodic job: one run at a time over all processes, bounded in time, its end written down.

Messages of beat may come twice, late, or to several indexers at once: the lease decides. A run whose process dies or
hangs loses the lease `LEASE_MARGIN_SECONDS` after its time is up, and the next message starts a new one.
"""

import logging
import os
import secrets
import socket
import time

from django.db import Error as DatabaseError

from embedding_project.config import load_config
from embedding_project.contracts.errors import ServiceError
from embedding_project.contracts.origins import Origin
from embedding_project.observing.log_lines import place_of
from embedding_project.observing.request_context import serving
from embeddings_app.database.fault_names import fault_name
from embeddings_app.models import RunOutcome
from embeddings_app.records import jobs
from embeddings_app.records.jobs import EndedRun
from embeddings_app.services.jobs.job import Job, Run
from embeddings_app.services.jobs.metrics import JOB_RUNS

LEASE_MARGIN_SECONDS = 5.0
"""A run may overstep its time by so much: by one statement, or by one wait for an embedder."""
logger = logging.getLogger(__name__)


def run_job(job: Job) -> bool:
    """Run the job now, unless another process does; whether it ran to an end that could be written down."""
    token = secrets.token_hex(4)
    with serving((Origin(f"{job.name}-{token}"),)):
        try:
            return _run(job, holder_name(token))
        except DatabaseError as error:
            # Nothing could be written down either: the next message tries again.
            logger.warning("job %s: postgres: %s", job.name, fault_name(error))
            JOB_RUNS.labels(job.name, RunOutcome.FAILED).inc()
            return False


def holder_name(token: str) -> str:
    """Who holds a lease, for people: role, host, process, and what tells it from any other holder."""
    return f"{load_config().role or 'process'}@{socket.gethostname()[:64]} {os.getpid()} {token}"


def _run(job: Job, holder: str) -> bool:
    taken = jobs.begin_run(job.name, holder, job.run_seconds + LEASE_MARGIN_SECONDS)
    if taken is None:
        logger.debug("job %s is running elsewhere", job.name)
        return False
    if taken.left is not None:
        logger.warning("job %s: an earlier run never ended", job.name)
        jobs.note_abandoned(job.name, taken.left)
        JOB_RUNS.labels(job.name, RunOutcome.ABANDONED).inc()
    ended = _work(job)
    JOB_RUNS.labels(job.name, ended.outcome).inc()
    failed = ended.outcome is not RunOutcome.OK
    if not jobs.end_run(job.name, holder, ended, keep=failed or job.keeps_every_run):
        logger.warning("job %s took longer than its lease", job.name)
        return False
    return True


def _work(job: Job) -> EndedRun:
    try:
        done = job.work(Run(deadline=time.monotonic() + job.run_seconds, progress=jobs.progress_of(job.name)))
    except ServiceError as error:
        logger.warning("job %s failed: %s", job.name, error.code)
        return EndedRun(outcome=RunOutcome.FAILED, error=error.code)
    except Exception as error:  # noqa: BLE001
        # The message of the error may quote what a user sent.
        logger.error("job %s failed: %s", job.name, place_of(error))
        return EndedRun(outcome=RunOutcome.FAILED, error=fault_name(error))
    outcome = RunOutcome.FAILED if done.problem else RunOutcome.OK
    return EndedRun(outcome=outcome, error=done.problem, result=done.result, progress=done.progress)
