"""The only module that makes messages.

Arguments never appear in message metadata (`argsrepr`), since they hold user text. No function waits for an answer.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache

from celery import chord
from kombu.exceptions import KombuError
from redis import Redis
from redis.exceptions import RedisError

from embedding_project.broker.redis_clients import broker_client
from embedding_project.broker.task_messages import QueuedMessage, task_template
from embedding_project.celery import job_app, query_app
from embedding_project.config import load_config
from embedding_project.contracts.census import CensusQuestion
from embedding_project.contracts.errors import Unavailable
from embedding_project.contracts.hints import IndexHint
from embedding_project.contracts.messages import EmbedBatch, SearchBatch
from embedding_project.contracts.queues import (
    CENSUS_TASK,
    EMBED_TASK,
    INDEX_QUEUE,
    INDEX_TASK,
    REEMBED_CHUNK_TASK,
    REEMBED_WAVE_DONE_TASK,
    SEARCH_TASK,
    SearchLane,
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


def search_messages(
    layout: int, shards: Iterable[int], batch: SearchBatch, lane: SearchLane = SearchLane.LIGHT
) -> list[QueuedMessage]:
    """One task per shard, as one group, for the carrier of the searches to send."""
    version_key = batch.queries[0].version_key
    queues = [search_queue(layout, version_key, shard, lane) for shard in shards]
    return task_template(query_app, SEARCH_TASK).messages(queues, batch.to_wire(), batch.deadline)


def census_messages(layout: int, question: CensusQuestion) -> list[QueuedMessage]:
    """One task for each shard that is asked, as one group, on the heavy lane: a count may read all that a shard has."""
    queues = [search_queue(layout, question.version_key, shard, SearchLane.HEAVY) for shard in question.positions]
    return task_template(query_app, CENSUS_TASK).messages(queues, question.to_wire(), question.deadline)


def send_embed(batch: EmbedBatch, broker: Redis | None = None) -> None:
    """Queue `batch` on its lane, at the broker of this process unless another is given. Raises Unavailable."""
    queue = embed_queue(batch.lane)
    (message,) = task_template(query_app, EMBED_TASK).messages([queue], batch.to_wire(), batch.deadline)
    with _broker_errors():
        (broker or _broker()).lpush(message.queue, message.text)


@cache
def _broker() -> Redis:
    return broker_client(load_config().redis_url)


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
