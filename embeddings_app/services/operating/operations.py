"""How the service stands now, for people: waiting work, queues, replicas. Bounded in time; what is silent is None."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from typing import cast

from django.db import Error as DatabaseError
from redis import Redis
from redis.exceptions import RedisError

from embedding_project.broker.redis_clients import broker_client
from embedding_project.config import load_config
from embedding_project.contracts.messages import Lane
from embedding_project.contracts.queues import INDEX_QUEUE, embed_queue, search_queue
from embeddings_app.models import Layout, LayoutStatus
from embeddings_app.records import operations
from embeddings_app.records.operations import Backlog
from embeddings_app.records.topology import ready_replicas, searched_logs

_BROKER_SECONDS = 0.5
_BACKLOG_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Queue:
    name: str
    purpose: str
    waiting: int | None
    """Messages nobody has taken yet; None when the broker does not answer."""


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


@cache
def _broker() -> Redis:
    return broker_client(load_config().redis_url, timeout_seconds=_BROKER_SECONDS)


def queues() -> list[Queue]:
    """Every queue of the service with its length. Raises DatabaseError, which knows the layouts."""
    named = [(embed_queue(lane), f"texts to embed, {lane}") for lane in Lane]
    named.append((INDEX_QUEUE, "hints to the indexer"))
    named += [
        (search_queue(log.layout, log.version_key, log.shard), f"searches of {log.version}, shard {log.shard}")
        for log in searched_logs()
    ]
    lengths = _lengths([name for name, _ in named])
    return [Queue(name, purpose, waiting) for (name, purpose), waiting in zip(named, lengths, strict=True)]


def _lengths(names: list[str]) -> list[int] | list[None]:
    try:
        pipeline = _broker().pipeline(transaction=False)
        for name in names:
            pipeline.llen(name)
        return cast(list[int], pipeline.execute())
    except RedisError:
        return [None] * len(names)


def backlog() -> Backlog | None:
    """Pending and quarantined records; None when they cannot be counted quickly."""
    try:
        return operations.backlog(_BACKLOG_SECONDS)
    except DatabaseError:
        return None


def replica_count() -> ReplicaCount:
    """Replicas of the active layout that answer searches, of those it is meant to have."""
    layout = Layout.objects.get(status=LayoutStatus.ACTIVE)
    return count_replicas(ready_replicas(layout.pk).values(), layout.shards, layout.replicas)
