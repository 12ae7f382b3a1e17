"""Readiness: each dependency and each role, with its state and the age of that knowledge.

Threads of the background ask, one for each server, so that an answer takes no time however busy the process is, and one
server that hangs does not hide what is known of the others.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache

from django.db import Error as DatabaseError
from django.db import close_old_connections, connection
from redis import Redis
from redis.exceptions import RedisError

from embedding_project.broker.liveness import FRESH_SECONDS, alive
from embedding_project.broker.redis_clients import broker_client
from embedding_project.config import Config, load_config
from embedding_project.contracts.errors import ServiceError
from embedding_project.threads.refreshed import Refreshed
from embeddings_app.database.fault_names import fault_name
from embeddings_app.records.topology import ready_replicas, replica_problems
from embeddings_app.services.jobs.sweep import SWEEP
from embeddings_app.services.topology import topology

STALE_SECONDS = 5.0
"""What was found longer ago counts for nothing."""
_FIRST_WAIT_SECONDS = 1.5
_PERIOD_SECONDS = 1.0
_PERIOD_WHILE_MISSING_SECONDS = 0.2
"""A start, and the end of an outage, is noticed soon."""
_PING_SECONDS = 1.0
_SWEEP_FRESH_SECONDS = 4.0 * SWEEP.at_most_seconds
"""However seldom an operator lets it run, and while another beat takes over."""


@dataclass(frozen=True, slots=True)
class Found:
    ok: bool
    detail: str


@dataclass(frozen=True, slots=True)
class Check:
    ok: bool
    detail: str
    age_seconds: float
    """How long ago this was found."""


Findings = Mapping[str, Found]


def _pause(findings: Findings) -> float:
    return _PERIOD_SECONDS if all(found.ok for found in findings.values()) else _PERIOD_WHILE_MISSING_SECONDS


class Source:
    """The checks that ask one server."""

    def __init__(
        self,
        name: str,
        checks: tuple[str, ...],
        ask: Callable[[], Findings],
        *,
        pause: Callable[[Findings], float] = _pause,
        first_wait_seconds: float = _FIRST_WAIT_SECONDS,
        stale_seconds: float = STALE_SECONDS,
    ) -> None:
        self._checks = checks
        self._first_wait_seconds = first_wait_seconds
        self._stale_seconds = stale_seconds
        self._findings = Refreshed(f"readiness-{name}", ask, pause)

    def checks(self) -> dict[str, Check]:
        """The state of each check, as of the last answer of the server."""
        latest = self._findings.latest(self._first_wait_seconds)
        if latest is None:
            return {name: Check(False, "not known yet", 0.0) for name in self._checks}
        age = round(latest.age_seconds, 3)
        if age > self._stale_seconds:
            return {name: Check(False, f"no news for {age:.0f} s", age) for name in self._checks}
        return {name: Check(latest.value[name].ok, latest.value[name].detail, age) for name in self._checks}


def readiness_checks() -> dict[str, Check]:
    """Name -> state of everything the service needs to answer all of its endpoints."""
    return {name: check for source in _sources() for name, check in source.checks().items()}


@cache
def _sources() -> tuple[Source, ...]:
    config = load_config()
    broker = broker_client(config.redis_url, timeout_seconds=_PING_SECONDS)
    embedding_cache = broker_client(config.cache_url, timeout_seconds=_PING_SECONDS)
    return (
        Source("postgres", ("postgres", "shards"), _ask_postgres),
        Source("broker", ("broker", "embedders", "indexer", "beat"), lambda: _ask_broker(broker, config)),
        Source("cache", ("cache",), lambda: {"cache": _checked(lambda: _ping(embedding_cache))}),
    )


def _checked(probe: Callable[[], Found]) -> Found:
    try:
        return probe()
    except (DatabaseError, RedisError, ServiceError) as error:
        return Found(False, fault_name(error))


def _ask_postgres() -> Findings:
    # Outside of requests nobody else replaces a connection that broke.
    close_old_connections()
    postgres = _checked(_select)
    return {
        "postgres": postgres,
        "shards": _checked(_shards) if postgres.ok else Found(False, "unknown without postgres"),
    }


def _select() -> Found:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    return Found(True, "answers")


def _shards() -> Found:
    current = topology()
    counts = dict.fromkeys(range(current.shards), 0) | ready_replicas(current.layout)
    detail = ", ".join(
        f"shard {shard}: {_answering(count, current.replicas)}" for shard, count in sorted(counts.items())
    )
    # Who has no key sees this too: not how much there is of what.
    full = sorted({problem.place for problem in replica_problems()})
    return Found(all(counts.values()), "; ".join([detail, *(f"{place} has no room for a version" for place in full)]))


def _ask_broker(broker: Redis, config: Config) -> Findings:
    answers = _checked(lambda: _ping(broker))
    if not answers.ok:
        roles = dict.fromkeys(("embedders", "indexer", "beat"), Found(False, "unknown without the broker"))
        return {"broker": answers, **roles}
    lives, sweeps = _alive(broker, FRESH_SECONDS), _alive(broker, _SWEEP_FRESH_SECONDS)
    embedders = sum(name.startswith("embedder-") for name in lives)
    return {
        "broker": answers,
        "embedders": Found(embedders > 0, _answering(embedders, config.embedders)),
        "indexer": Found("indexer" in lives, "answers" if "indexer" in lives else "silent"),
        "beat": Found(SWEEP.name in sweeps, "sweeps" if SWEEP.name in sweeps else "no sweep lately"),
    }


def _answering(count: int, expected: int) -> str:
    # Roles on other machines add to those that the configuration of this one expects.
    return f"{count} answer ({expected} expected)"


def _ping(redis: Redis) -> Found:
    redis.ping()
    return Found(True, "answers")


def _alive(broker: Redis, within_seconds: float) -> set[str]:
    try:
        return set(alive(broker, within_seconds))
    except RedisError:
        return set()
