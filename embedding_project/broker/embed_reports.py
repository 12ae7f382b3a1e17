"""The reports of senders and embedders in Redis, one hash of each kind. Every process adds them up.

Each entry has the time of its writing, and old entries do not count: so a dead process is out of every sum within
seconds, and after Redis has lost everything, the next reports fill it again.
"""

import json
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast

from redis import Redis

from embedding_project.broker.embed_load import EmbedLoad, Tokens
from embedding_project.broker.liveness import FRESH_SECONDS
from embedding_project.contracts.messages import Lane

SPEEDS_KEY = "embed.speeds"
QUEUED_KEY = "embed.queued"
SENDER_FRESH_SECONDS = 3.0
_FORGOTTEN_SECONDS = 60.0
"""Older entries are removed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SenderReport:
    """The tokens for which one process waits, and its last refusal."""

    queued: Mapping[Lane, Tokens]
    refused_at: float


def report_speeds(redis: Redis, embedder: str, speeds: Tokens) -> None:
    """Report that `embedder` works now, and its speed for each model. Raises RedisError."""
    redis.hset(SPEEDS_KEY, embedder, json.dumps({"at": time.time(), "speeds": speeds}))


def withdraw_speeds(redis: Redis, embedder: str) -> None:
    """Report that `embedder` stops. Raises RedisError."""
    redis.hdel(SPEEDS_KEY, embedder)


def exchange(redis: Redis, sender: str, report: SenderReport) -> EmbedLoad:
    """Write the report of `sender` and return the load by all others, in one round trip. Raises RedisError."""
    entry = {"at": time.time(), "queued": report.queued, "refused_at": report.refused_at}
    pipeline = redis.pipeline(transaction=False)
    pipeline.hset(QUEUED_KEY, sender, json.dumps(entry))
    pipeline.hgetall(SPEEDS_KEY)
    pipeline.hgetall(QUEUED_KEY)
    _, speeds, queued = cast(tuple[int, dict[bytes, bytes], dict[bytes, bytes]], tuple(pipeline.execute()))
    queued.pop(sender.encode(), None)
    _forget(redis, SPEEDS_KEY, speeds)
    _forget(redis, QUEUED_KEY, queued)
    return _load(speeds, queued)


def withdraw_queued(redis: Redis, sender: str) -> None:
    """Report that `sender` waits for nothing any more. Raises RedisError."""
    redis.hdel(QUEUED_KEY, sender)


def read_load(redis: Redis) -> EmbedLoad:
    """The load of the service as seen from outside. Raises RedisError."""
    pipeline = redis.pipeline(transaction=False)
    pipeline.hgetall(SPEEDS_KEY)
    pipeline.hgetall(QUEUED_KEY)
    speeds, queued = pipeline.execute()
    return _load(speeds, queued)


def _load(speeds: Mapping[bytes, bytes], queued: Mapping[bytes, bytes]) -> EmbedLoad:
    embedders = [_tokens(entry.get("speeds")) for entry in _fresh(speeds, FRESH_SECONDS)]
    measured = defaultdict(list)
    for embedder in embedders:
        for model, speed in embedder.items():
            if speed > 0:
                measured[model].append(speed)
    waiting: dict[Lane, dict[str, float]] = {lane: {} for lane in Lane}
    refused_at = 0.0
    for entry in _fresh(queued, SENDER_FRESH_SECONDS):
        refused_at = max(refused_at, _number(entry.get("refused_at")))
        lanes = entry.get("queued")
        lanes = lanes if isinstance(lanes, dict) else {}
        for lane in Lane:
            for model, count in _tokens(lanes.get(lane)).items():
                waiting[lane][model] = waiting[lane].get(model, 0.0) + count
    return EmbedLoad(
        embedders=len(embedders),
        speeds={model: sum(found) / len(found) for model, found in measured.items()},
        queued=waiting,
        refused_at=refused_at,
    )


def _fresh(entries: Mapping[bytes, bytes], within_seconds: float) -> Iterator[dict[str, Any]]:
    for raw in entries.values():
        entry = _entry(raw)
        if -_FORGOTTEN_SECONDS < _age(entry) <= within_seconds:
            yield entry


def _forget(redis: Redis, key: str, entries: Mapping[bytes, bytes]) -> None:
    old = [name for name, raw in entries.items() if abs(_age(_entry(raw))) > _FORGOTTEN_SECONDS]
    if old:
        redis.hdel(key, *old)


def _age(entry: Mapping[str, Any]) -> float:
    """Seconds since the entry was written; below 0 when the clock of the writer is ahead."""
    return time.time() - _number(entry.get("at"))


def _entry(raw: bytes) -> dict[str, Any]:
    # Every process that reaches the broker may write here: an entry of another form counts as no report.
    try:
        found = json.loads(raw)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _tokens(found: object) -> dict[str, float]:
    return {model: _number(count) for model, count in found.items()} if isinstance(found, dict) else {}


def _number(found: object) -> float:
    """A finite number that is not negative; 0 for anything else."""
    return float(found) if isinstance(found, int | float) and 0 <= found < float("inf") else 0.0
