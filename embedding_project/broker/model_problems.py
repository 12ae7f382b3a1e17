"""Why embedders cannot load a model version: they write the reason into Redis, and who probes the version reads it."""

import logging

from redis import Redis
from redis.exceptions import RedisError

_KEPT_SECONDS = 60
_MAX_LENGTH = 500
logger = logging.getLogger(__name__)


def report_problem(redis: Redis, version_key: int, reason: str) -> None:
    """Keep the reason for a minute. Without a broker it is only in the log of the embedder."""
    try:
        redis.set(_key(version_key), reason[:_MAX_LENGTH], ex=_KEPT_SECONDS)
    except RedisError as error:
        logger.warning("the reason of a failed load was not sent: %s", type(error).__name__)


def reported_problem(redis: Redis, version_key: int) -> str:
    """The newest reason; empty when none was reported within a minute, or the broker is away."""
    try:
        found = redis.get(_key(version_key))
    except RedisError:
        return ""
    return found.decode(errors="replace") if isinstance(found, bytes) else ""


def _key(version_key: int) -> str:
    return f"model.problem.{version_key}"
