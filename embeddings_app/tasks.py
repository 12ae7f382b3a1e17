"""Tasks of the indexers. Each decodes, makes one call, and leaves the truth in Postgres."""

import logging
import secrets
import threading
from collections.abc import Sequence
from functools import cache
from typing import Any

from celery import chord
from celery.signals import worker_ready
from kombu.exceptions import OperationalError
from redis import Redis
from redis.exceptions import RedisError

from embedding_project.broker.dispatch import send_index_hint
from embedding_project.broker.liveness import report_alive, restarted_since, start_heartbeat
from embedding_project.broker.redis_clients import broker_client
from embedding_project.celery import job_app
from embedding_project.config import load_config
from embedding_project.contracts.hints import IndexHint
from embedding_project.contracts.origins import Origin, distinct
from embedding_project.contracts.queues import (
    INDEX_TASK,
    REEMBED_CHUNK_TASK,
    REEMBED_WAVE_DONE_TASK,
    SWEEP_TASK,
    TEND_VERSIONS_TASK,
    TRIM_TASK,
)
from embedding_project.observing.log_lines import place_of
from embedding_project.observing.request_context import current_origins, serving
from embeddings_app.records.embeddings import any_due
from embeddings_app.services.indexing.hints_heard import hinted
from embeddings_app.services.indexing.indexing import embed_documents, index_pending
from embeddings_app.services.indexing.trimming import trim_logs
from embeddings_app.services.model_versions.indexes import clear_ended_versions
from embeddings_app.services.reembedding.chunks import work_on_chunk
from embeddings_app.services.reembedding.waves import advance, tend_runs

TURN_SECONDS = 10.0
"""A turn of indexing ends after this, and asks for the next one, so that other jobs get theirs."""
CLEAR_SECONDS = 5.0
_turns = threading.Semaphore(2)
logger = logging.getLogger(__name__)


@cache
def _broker() -> Redis:
    return broker_client(load_config().redis_url)


def _embedder_restarted(since: float) -> bool:
    return restarted_since(_broker(), "embedder-", since)


def _hint_of_anything() -> IndexHint:
    return IndexHint((), current_origins()[:1])


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
        more = index_pending(TURN_SECONDS, embed_documents, _embedder_restarted)
    finally:
        _turns.release()
    if more or any_due():
        send_index_hint(_hint_of_anything())


@job_app.task(name=SWEEP_TASK)
def sweep() -> None:
    """Find work whose hint was lost."""
    with serving((Origin(f"sweep-{secrets.token_hex(4)}"),)):
        report_alive(_broker(), "sweep")
        if any_due():
            send_index_hint(_hint_of_anything())


@job_app.task(name=TRIM_TASK)
def trim() -> None:
    """Forget the part of the logs that nobody needs any more."""
    trim_logs(load_config().log_retention_hours)


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
    advance(run_key, wave, _send_wave)


@job_app.task(name=TEND_VERSIONS_TASK)
def tend_versions() -> None:
    """Go on with runs that lie still, and free what ended versions hold."""
    tend_runs(_send_wave)
    clear_ended_versions(CLEAR_SECONDS)


def _send_wave(run_key: int, wave: int, chunk_keys: Sequence[int]) -> None:
    try:
        chord([reembed_chunk.s(key) for key in chunk_keys])(reembed_wave_done.s(run_key, wave))
    except (OperationalError, RedisError) as error:
        logger.warning("a wave of run %d was not sent: %s", run_key, type(error).__name__)


@worker_ready.connect
def _report_alive(**_: object) -> None:
    start_heartbeat(_broker(), "indexer")
