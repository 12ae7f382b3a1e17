"""Tells when the clock of this machine is wrong. Messages name moments of the wall clock, so all machines must agree.

The clock of the broker is the one that every process can ask.
"""

import logging
import time
from collections.abc import Callable

from redis import Redis
from redis.exceptions import RedisError

from embedding_project.threads.background import repeat_forever

TOLERATED_SECONDS = 0.5
"""A search lives for 2 s: with a larger difference shards drop messages that somebody waits for, or search too late."""
_PERIOD_SECONDS = 60.0
logger = logging.getLogger(__name__)


def watch_clock(redis: Redis) -> None:
    """Compare the clocks every minute, for as long as the process lives."""

    def step() -> None:
        compare_clocks(redis)
        time.sleep(_PERIOD_SECONDS)

    repeat_forever("clock", step)


def compare_clocks(redis: Redis, wall: Callable[[], float] = time.time) -> None:
    """Warn when `wall` differs from the broker's clock for certain, however long the answer of the broker takes."""
    asked = wall()
    try:
        seconds, microseconds = redis.time()
    except RedisError:
        return
    at_broker = seconds + microseconds / 1e6
    ahead, behind = asked - at_broker, at_broker - wall()
    if max(ahead, behind) > TOLERATED_SECONDS:
        direction = "ahead of" if ahead > behind else "behind"
        logger.warning("the clock of this machine is %.1f s %s the broker's", max(ahead, behind), direction)
