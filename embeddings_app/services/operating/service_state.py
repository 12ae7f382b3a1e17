"""The state of the whole service for operators: what Postgres and the broker say, asked in the background.

`/metrics` and the admin read the same answers. However often they do, each thing is asked every two seconds at most,
and for a small share of the time only.
"""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Generic, TypeVar, cast

from django.db import Error as DatabaseError
from django.db import close_old_connections
from redis import Redis
from redis.exceptions import RedisError

from embedding_project.broker.embed_load import EmbedLoad
from embedding_project.broker.embed_reports import read_load
from embedding_project.broker.redis_clients import broker_client
from embedding_project.config import load_config
from embedding_project.contracts.errors import ServiceError
from embedding_project.contracts.messages import Lane
from embedding_project.contracts.queues import INDEX_QUEUE, SearchLane, embed_queue, search_queue
from embedding_project.threads.refreshed import Refreshed
from embeddings_app.records.bulk_jobs import OpenJob, jobs_by_state, newest_registering, open_jobs
from embeddings_app.records.jobs import LastRun, last_runs
from embeddings_app.records.measurements import VersionRecall, newest_recalls
from embeddings_app.records.operations import (
    ReplicaProgress,
    VersionWork,
    oldest_pending_seconds,
    replica_progress,
    version_work,
)
from embeddings_app.records.topology import SearchedLog, ready_replicas, searched_logs
from embeddings_app.services.topology import topology

STALE_SECONDS = 60.0
"""What was asked longer ago is not shown."""
_FIRST_WAIT_SECONDS = 1.5
PERIOD_SECONDS = 2.0
_PAUSES = 20
"""After a round of questions at least so many times its duration is rested."""
_ASK_SECONDS = 1.0
_SEARCHES: Mapping[SearchLane, str] = {SearchLane.LIGHT: "searches", SearchLane.HEAVY: "heavy searches"}

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class ReplicaCount:
    """Replicas of one shard or of several. One too many of a shard stands for none of another."""

    ready: int
    """Of those expected."""
    expected: int
    more: int
    """Ready ones beyond those expected: of an earlier REPLICAS, or started by hand."""

    def __str__(self) -> str:
        return f"{self.ready} of {self.expected}" + (f", {self.more} more" if self.more else "")


def count_replicas(ready: Iterable[int], shards: int, replicas: int) -> ReplicaCount:
    """Out of the numbers of `ready` replicas of each of `shards` that are meant to have `replicas` each."""
    found = list(ready)
    counted = sum(min(count, replicas) for count in found)
    return ReplicaCount(counted, shards * replicas, sum(found) - counted)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredState:
    """What Postgres knows of the index, and of the jobs that look after it."""

    logs: Sequence[SearchedLog]
    replica_count: ReplicaCount
    """Those that answer searches of every active version."""
    replicas: Sequence[ReplicaProgress]
    jobs: Sequence[LastRun]
    recalls: Sequence[VersionRecall]
    """Of active versions that were measured lately."""
    bulk_jobs: Sequence[OpenJob]
    bulk_states: Mapping[str, int]
    """State of bulk jobs -> how many are in it."""
    bulk_registering_seconds: float | None
    """The longest transaction of the newest job that made documents visible."""


@dataclass(frozen=True, slots=True)
class WaitingWork:
    """What Postgres knows of the records that are not embedded."""

    versions: Sequence[VersionWork]
    oldest_pending_seconds: float


Queues = Mapping[str, int]
"""Queue -> messages that nobody has taken yet."""


@dataclass(frozen=True, slots=True)
class _Asked(Generic[Value]):
    answer: Value | None
    """None when the server did not answer."""
    seconds: float


def stored_state() -> StoredState | None:
    """None while Postgres does not say."""
    return _fresh(_stored())


def waiting_work() -> WaitingWork | None:
    """None while Postgres does not say, which it may do later than the rest: its table is the largest."""
    return _fresh(_work())


def queues() -> Queues | None:
    """None while the broker does not say."""
    return _fresh(_queues())


def embed_load() -> EmbedLoad | None:
    """What waits for the embedders, and how fast they are; None while the broker does not say."""
    return _fresh(_embed_load())


def queue_purposes(logs: Sequence[SearchedLog]) -> dict[str, str]:
    """Every queue of a service with these logs -> what its messages are, for people."""
    searches = {
        search_queue(log.layout, log.version_key, log.shard, lane): f"{words} of {log.version}, shard {log.shard}"
        for log in logs
        for lane, words in _SEARCHES.items()
    }
    return {
        **{embed_queue(lane): f"texts to embed, {lane}" for lane in Lane},
        INDEX_QUEUE: "hints to the indexer",
        **searches,
    }


def _fresh(refreshed: Refreshed[_Asked[Value]]) -> Value | None:
    latest = refreshed.latest(_FIRST_WAIT_SECONDS)
    return latest.value.answer if latest is not None and latest.age_seconds < STALE_SECONDS else None


@cache
def _stored() -> Refreshed[_Asked[StoredState]]:
    return Refreshed("state-postgres", lambda: _asked(_ask_postgres), _pause)


@cache
def _work() -> Refreshed[_Asked[WaitingWork]]:
    return Refreshed("state-work", lambda: _asked(_ask_work), _pause)


@cache
def _queues() -> Refreshed[_Asked[Queues]]:
    broker = broker_client(load_config().redis_url, timeout_seconds=_ASK_SECONDS)
    stored = _stored()
    return Refreshed("state-broker", lambda: _asked(lambda: _ask_broker(broker, _fresh(stored))), _pause)


@cache
def _embed_load() -> Refreshed[_Asked[EmbedLoad]]:
    broker = broker_client(load_config().redis_url, timeout_seconds=_ASK_SECONDS)
    return Refreshed("state-embed-load", lambda: _asked(lambda: read_load(broker)), _pause)


def _asked(ask: Callable[[], Value]) -> _Asked[Value]:
    began = time.monotonic()
    try:
        answer = ask()
    except (DatabaseError, RedisError, ServiceError):
        return _Asked(None, time.monotonic() - began)
    return _Asked(answer, time.monotonic() - began)


def _pause(asked: _Asked[Value]) -> float:
    return max(PERIOD_SECONDS, _PAUSES * asked.seconds)


def _ask_postgres() -> StoredState:
    # Outside of requests nobody else replaces a connection that broke.
    close_old_connections()
    current = topology()
    return StoredState(
        logs=searched_logs(),
        replica_count=count_replicas(ready_replicas(current.layout).values(), current.shards, current.replicas),
        replicas=replica_progress(),
        jobs=last_runs(),
        recalls=newest_recalls(),
        bulk_jobs=open_jobs(),
        bulk_states=jobs_by_state(),
        bulk_registering_seconds=newest_registering(),
    )


def _ask_work() -> WaitingWork:
    close_old_connections()
    return WaitingWork(version_work(), oldest_pending_seconds())


def _ask_broker(broker: Redis, stored: StoredState | None) -> Queues:
    names = list(queue_purposes(stored.logs if stored else ()))
    pipeline = broker.pipeline(transaction=False)
    for name in names:
        pipeline.llen(name)
    return dict(zip(names, cast(list[int], pipeline.execute()), strict=True))
