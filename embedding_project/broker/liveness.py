"""Which processes are alive: each writes the time, and the time of its start, under its name into one Redis hash."""

import logging
import time
from typing import cast

from redis import Redis
from redis.exceptions import RedisError

from embedding_project.threads.background import repeat_forever

_KEY = "alive"
_STARTED = time.time()
FRESH_SECONDS = 5.0
logger = logging.getLogger(__name__)


def report_alive(redis: Redis, name: str) -> None:
    """Record that the process `name` (such as `embedder-0`) works now. Raises RedisError."""
    redis.hset(_KEY, name, f"{time.time()} {_STARTED}")


def alive(redis: Redis, within_seconds: float = FRESH_SECONDS) -> dict[str, float]:
    """Name -> start time of the processes that reported in the last `within_seconds`. Raises RedisError."""
    oldest = time.time() - within_seconds
    found = cast(dict[bytes, bytes], redis.hgetall(_KEY))
    reports = {name.decode(): report.split() for name, report in found.items()}
    return {name: float(started) for name, (seen, started) in reports.items() if float(seen) >= oldest}


def restarted_since(redis: Redis, prefix: str, since: float) -> bool:
    """Whether a process whose name begins with `prefix` started after `since`; False without a broker."""
    try:
        return any(name.startswith(prefix) and started > since for name, started in alive(redis).items())
    except RedisError:
        return False


def start_heartbeat(redis: Redis, name: str) -> None:
    """Report `name` every second from a daemon thread for as long as the process lives."""

    def beat() -> None:
        try:
            report_alive(redis, name)
        except RedisError as error:
            logger.warning("heartbeat of %s failed: %s", name, type(error).__name__)
        time.sleep(1.0)

    repeat_forever("heartbeat", beat)
