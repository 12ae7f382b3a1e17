"""Tasks of the indexers. Each decodes, makes one call, and leaves the truth in Postgres."""

import logging
import threading
from functools import cache
from typing import Any

from celery.signals import worker_ready
from redis import Redis

from embedding_project.broker.dispatch import send_index_hint
from embedding_project.broker.liveness import report_alive, restarted_since, start_heartbeat
from embedding_project.broker.redis_clients import broker_client
from embedding_project.celery import job_app
from embedding_project.config import load_config
from embedding_project.contracts.hints import IndexHint
from embedding_project.contracts.origins import Origin, distinct
from embedding_project.contracts.queues import INDEX_TASK, REEMBED_CHUNK_TASK, REEMBED_WAVE_DONE_TASK
from embedding_project.observing.log_lines import place_of
from embedding_project.observing.request_context import serving
from embeddings_app.services.indexing.claiming import Claiming
from embeddings_app.services.indexing.hints_heard import hinted
from embeddings_app.services.indexing.hints_sent import hint_of_anything
from embeddings_app.services.indexing.indexing import embed_documents, index_pending
from embeddings_app.services.jobs.job import Job
from embeddings_app.services.jobs.running import run_job
from embeddings_app.services.jobs.slow_jobs import SlowJobs
from embeddings_app.services.jobs.sweep import SWEEP
from embeddings_app.services.jobs.table import JOBS
from embeddings_app.services.reembedding.chunks import work_on_chunk
from embeddings_app.services.reembedding.sending import send_wave
from embeddings_app.services.reembedding.waves import advance

TURN_SECONDS = 10.0
"""A turn of indexing ends after this, and asks for the next one, so that other jobs get theirs."""
_turns = threading.Semaphore(2)
_claiming = Claiming()
_slow_jobs = SlowJobs(run_job)
logger = logging.getLogger(__name__)


@cache
def _broker() -> Redis:
    return broker_client(load_config().redis_url)


def _embedder_restarted(since: float) -> bool:
    return restarted_since(_broker(), "embedder-", since)


@job_app.task(name=INDEX_TASK, bind=True)
def index_documents(task: Any, document_keys: list[int]) -> None:
    """Index what is pending; the keys only say that something is, and for whom."""
    hint = IndexHint.from_message(document_keys, task.request.headers)
    hinted.remember(hint)
    with serving(distinct(hint.origins)):
        _take_a_turn()


def _take_a_turn() -> None:
    if not _turns.acquire(blocking=False):
        return
    try:
        more = index_pending(TURN_SECONDS, embed_documents, _embedder_restarted, _claiming)
    finally:
        _turns.release()
    # The sweep wakes what rests.
    if more or _claiming.any_due():
        send_index_hint(hint_of_anything())


def _register(job: Job) -> None:
    @job_app.task(name=job.task)
    def run() -> None:
        if job is SWEEP:
            # How others know that beat sends, whatever Postgres says to the run.
            report_alive(_broker(), job.name)
        _slow_jobs.take(job)


for _job in JOBS.values():
    _register(_job)


@job_app.task(name=REEMBED_CHUNK_TASK, ignore_result=False)
def reembed_chunk(chunk_key: int) -> bool:
    """Embed the documents of a chunk that its version lacks; whether the chunk is finished."""
    with serving((Origin(f"chunk-{chunk_key}"),)):
        try:
            return work_on_chunk(chunk_key, embed_documents)
        except Exception as error:  # noqa: BLE001
            # A chord whose task fails never calls back; the chunk is sent again when its run lies still.
            logger.error("a chunk failed with %s", place_of(error))
            return False


@job_app.task(name=REEMBED_WAVE_DONE_TASK)
def reembed_wave_done(_finished: list[bool], run_key: int, wave: int) -> None:
    """Go on with the run after one of its waves. May run twice, and late."""
    advance(run_key, wave, send_wave)


@worker_ready.connect
def _report_alive(**_: object) -> None:
    start_heartbeat(_broker(), "indexer")
