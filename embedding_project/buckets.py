"""Token buckets: how much of something a caller may do, measured over all processes.

The buckets lie in the cache's Redis, each changed by one script in one step. While that Redis does not answer, a
process uses buckets of its own, so a limit then holds for each process.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

from redis import Redis
from redis.exceptions import RedisError

_PREFIX = "limit:"
_OUTAGE_SECONDS = 1.0
"""For how long a Redis that failed is not asked again: a frozen one would cost each request its time-out."""
_MAX_LOCAL = 10_000
_SCRIPT = """
local now = redis.call('TIME')
now = now[1] + now[2] / 1000000
local rate, burst, need, want = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local held = redis.call('HMGET', KEYS[1], 'tokens', 'at')
local tokens, at = tonumber(held[1]) or burst, tonumber(held[2]) or now
tokens = math.min(burst, tokens + math.max(0, now - at) * rate)
local granted = math.min(want, tokens)
if granted < need then granted = 0 end
redis.call('HSET', KEYS[1], 'tokens', tostring(tokens - granted), 'at', string.format('%.6f', now))
redis.call('PEXPIRE', KEYS[1], math.ceil(burst / rate * 1000) + 1000)
return {tostring(granted), tostring(tokens - granted)}
"""


@dataclass(frozen=True, slots=True)
class Rate:
    per_second: float
    burst: float
    """Tokens of a full bucket."""


@dataclass(frozen=True, slots=True)
class Grant:
    tokens: float
    """What was taken: at least what was needed, or nothing."""
    left: float


class _LocalBucket:
    def __init__(self, burst: float, now: float) -> None:
        self._tokens = burst
        self._at = now

    def take(self, rate: Rate, need: float, want: float, now: float) -> Grant:
        self._tokens = min(rate.burst, self._tokens + max(0.0, now - self._at) * rate.per_second)
        self._at = now
        granted = min(want, self._tokens)
        if granted < need:
            granted = 0.0
        self._tokens -= granted
        return Grant(granted, self._tokens)


class Buckets:
    """All buckets, by name. A take is atomic, in Redis and in this process. No lock is held while Redis is asked."""

    def __init__(self, redis: Redis, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._script = redis.register_script(_SCRIPT)
        self._monotonic = monotonic
        self._asked_again_at = 0.0
        self._local: dict[str, _LocalBucket] = {}
        self._lock = threading.Lock()

    def take(self, name: str, rate: Rate, need: float, want: float) -> Grant:
        """Take up to `want` tokens, or none when fewer than `need` are there."""
        now = self._monotonic()
        if now >= self._asked_again_at:
            try:
                return self._take_shared(name, rate, need, want)
            except RedisError:
                self._asked_again_at = self._monotonic() + _OUTAGE_SECONDS
        with self._lock:
            if name not in self._local and len(self._local) >= _MAX_LOCAL:
                self._local.clear()
            return self._local.setdefault(name, _LocalBucket(rate.burst, now)).take(rate, need, want, now)

    def give_back(self, name: str, rate: Rate, amount: float) -> None:
        """Put tokens back that were taken and not used."""
        self.take(name, rate, -amount, -amount)

    def _take_shared(self, name: str, rate: Rate, need: float, want: float) -> Grant:
        arguments = [rate.per_second, rate.burst, need, want]
        answer = cast(list[Any], self._script(keys=[_PREFIX + name], args=arguments))
        return Grant(float(answer[0]), float(answer[1]))
