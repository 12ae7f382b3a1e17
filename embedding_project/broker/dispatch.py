"""The only module that sends messages.

Arguments never appear in message metadata (`argsrepr`), since they hold user text. No function waits for an answer.
"""

import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from celery import Celery, chord, group
from kombu.exceptions import KombuError
from redis.exceptions import RedisError

from embedding_project.celery import job_app, query_app
from embedding_project.contracts.errors import Unavailable
from embedding_project.contracts.hints import IndexHint
from embedding_project.contracts.messages import EmbedBatch, SearchBatch
from embedding_project.contracts.queues import (
    EMBED_TASK,
    INDEX_QUEUE,
    INDEX_TASK,
    REEMBED_CHUNK_TASK,
    REEMBED_WAVE_DONE_TASK,
    SEARCH_TASK,
    embed_queue,
    search_queue,
)

_NO_REPR = "-"
_NO_RESULT = {"ignore_result": True}
"""Of jobs: without it, the sender would subscribe to the result of every message, for as long as its process lives."""


@contextmanager
def _broker_errors() -> Iterator[None]:
    try:
        yield
    except (KombuError, RedisError, OSError) as error:
        raise Unavailable("broker_unavailable") from error


def _options(queue: str, deadline: float) -> dict[str, Any]:
    return {
        "queue": queue,
        "expires": datetime.fromtimestamp(max(deadline, time.time() + 0.001), UTC),
        "argsrepr": _NO_REPR,
        "kwargsrepr": _NO_REPR,
    }


def send_search(layout: int, shards: Iterable[int], batch: SearchBatch) -> None:
    """Fan `batch` out: one task per shard, published together. Raises Unavailable."""
    body, version_key = batch.to_wire(), batch.queries[0].version_key
    queues = [search_queue(layout, version_key, shard) for shard in shards]
    tasks = group(
        query_app.signature(SEARCH_TASK, args=(body,), options=_options(queue, batch.deadline)) for queue in queues
    )
    with _broker_errors(), query_app.producer_or_acquire() as producer, producer.batch():
        tasks.apply_async(producer=producer)


def send_embed(batch: EmbedBatch, app: Celery = query_app) -> None:
    """Queue `batch` on its lane. Raises Unavailable."""
    with _broker_errors():
        app.send_task(EMBED_TASK, args=(batch.to_wire(),), **_options(embed_queue(batch.lane), batch.deadline))


def send_index_hint(hint: IndexHint) -> None:
    """Tell an indexer that these documents wait. Raises Unavailable; without a hint, the sweep finds them later."""
    with _broker_errors():
        job_app.send_task(
            INDEX_TASK,
            args=(hint.document_keys,),
            queue=INDEX_QUEUE,
            argsrepr=_NO_REPR,
            headers=hint.headers(),
            **_NO_RESULT,
        )


def send_job(task: str, seconds: float) -> None:
    """Ask an indexer to run a periodic job now; the message counts for so long. Raises Unavailable."""
    with _broker_errors():
        job_app.send_task(task, queue=INDEX_QUEUE, expires=seconds, **_NO_RESULT)


def send_reembed_wave(run_key: int, wave: int, chunk_keys: Sequence[int]) -> None:
    """Queue the chunks of one wave of a run, and what follows when all of them have ended. Called by roles that know
    the tasks. Raises Unavailable; a run whose wave was not sent lies still, and is found again."""
    chunks = [job_app.signature(REEMBED_CHUNK_TASK, args=(key,)) for key in chunk_keys]
    with _broker_errors():
        chord(chunks, app=job_app)(job_app.signature(REEMBED_WAVE_DONE_TASK, args=(run_key, wave)))
