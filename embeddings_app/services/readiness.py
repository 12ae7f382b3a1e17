"""Readiness: each dependency and each role, with its state, in bounded time."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

from django.db import Error as DatabaseError
from django.db import connection
from redis import Redis
from redis.exceptions import RedisError

from embedding_project.celery import SWEEP_SECONDS
from embedding_project.config import load_config
from embedding_project.contracts.errors import ServiceError
from embedding_project.liveness import FRESH_SECONDS, alive
from embedding_project.redis_clients import broker_client
from embeddings_app.records.topology import ready_replicas
from embeddings_app.services.topology import topology

_PING_SECONDS = 1.0
_SWEEP_FRESH_SECONDS = 4 * SWEEP_SECONDS


@dataclass(frozen=True, slots=True)
class Check:
    ok: bool
    detail: str


@cache
def _client(url: str) -> Redis:
    return broker_client(url, timeout_seconds=_PING_SECONDS)


def readiness_checks() -> dict[str, Check]:
    """Name -> state of everything the service needs to answer all of its endpoints."""
    config = load_config()
    checks = {
        "postgres": _checked(_postgres),
        "broker": _checked(lambda: _ping(config.redis_url)),
        "cache": _checked(lambda: _ping(config.cache_url)),
    }
    lives = _alive(config.redis_url, FRESH_SECONDS)
    sweeps = _alive(config.redis_url, _SWEEP_FRESH_SECONDS)
    embedders = sorted(name for name in lives if name.startswith("embedder-"))
    checks["embedders"] = Check(bool(embedders), f"{len(embedders)} of {config.embedders} answer")
    checks["indexer"] = Check("indexer" in lives, "answers" if "indexer" in lives else "silent")
    checks["beat"] = Check("sweep" in sweeps, "sweeps" if "sweep" in sweeps else "no sweep lately")
    checks["shards"] = _checked(_shards) if checks["postgres"].ok else Check(False, "unknown without postgres")
    return checks


def _checked(probe: Callable[[], str | Check]) -> Check:
    try:
        found = probe()
    except (DatabaseError, RedisError, ServiceError) as error:
        return Check(False, type(error).__name__)
    return found if isinstance(found, Check) else Check(True, found)


def _postgres() -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    return "answers"


def _ping(url: str) -> str:
    _client(url).ping()
    return "answers"


def _alive(url: str, within_seconds: float) -> set[str]:
    try:
        return set(alive(_client(url), within_seconds))
    except RedisError:
        return set()


def _shards() -> Check:
    current = topology()
    counts = dict.fromkeys(range(current.shards), 0) | ready_replicas(current.layout)
    detail = ", ".join(f"shard {shard}: {count} of {current.replicas}" for shard, count in sorted(counts.items()))
    return Check(all(counts.values()), detail)
