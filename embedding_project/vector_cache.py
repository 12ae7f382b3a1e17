"""The embedding cache: frames of `EmbeddedText` under the hash of model version, prompt and text.

Read by the gateway, written by the embedders, emptied by deletes. Without its Redis everything works, slower: after a
call that failed nobody asks for a second, so a frozen server does not cost every request its time-out.
A forgotten key holds an empty value for a minute: writes go through SET NX, so a late write-back cannot undo it.
"""

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar, cast

from redis import Redis
from redis.exceptions import RedisError

from embedding_project.contracts.vectors import EmbeddedText

_PREFIX = b"v:"
_FORGOTTEN = b""
_FORGET_SECONDS = 60
_MAX_UNSENT = 100_000
_CLEARED_AT_ONCE = 1_000
AWAY_SECONDS = 1.0
"""How long nobody asks after a call that failed."""
_FORGOTTEN_AT_ONCE = 1_000
# One command for all keys: a pipeline of SETs costs the client three times as much.
_PUT = "for i = 1, #KEYS do redis.call('SET', KEYS[i], ARGV[i + 1], 'NX', 'EX', ARGV[1]) end"
_FORGET = "for i = 1, #KEYS do redis.call('SET', KEYS[i], ARGV[1], 'EX', ARGV[2]) end"
logger = logging.getLogger(__name__)

Answer = TypeVar("Answer")


def value_name(key: bytes) -> bytes:
    """What the vector of `key` is called in Redis."""
    return _PREFIX + key


class VectorCache:
    def __init__(self, redis: Redis, ttl_seconds: int) -> None:
        self._redis = redis
        self._ttl_seconds = ttl_seconds
        self._lock = threading.Lock()
        self._away_until = 0.0
        self._unsent: dict[bytes, None] = {}
        """Keys to forget, of which the server has not heard."""

    def get_many(self, keys: Sequence[bytes], dimension: int) -> list[EmbeddedText | None]:
        """The cached embeddings in the order of `keys`; None where there is none or the frame is not sound."""
        if not keys:
            return []
        names = [value_name(key) for key in keys]
        frames = self.attempt("read", lambda redis: cast(list[bytes | None], redis.mget(names)))
        if frames is None:
            return [None] * len(keys)
        unsent = self._unsent
        return [
            EmbeddedText.from_frame(frame, dimension) if frame and key not in unsent else None
            for key, frame in zip(keys, frames, strict=True)
        ]

    def put_many(self, frames: Mapping[bytes, bytes]) -> None:
        """Keep `frames` for the time to live, unless a key was forgotten within the last minute."""
        if frames:
            names = [value_name(key) for key in frames]
            ttl = str(self._ttl_seconds)
            self.attempt("write", lambda redis: redis.eval(_PUT, len(names), *names, ttl, *frames.values()))

    def forget(self, keys: Sequence[bytes]) -> None:
        """Drop the entries and refuse to take them back for a minute. A server that is away hears of it later."""
        with self._lock:
            self._unsent |= dict.fromkeys(keys[: max(_MAX_UNSENT - len(self._unsent), 0)])
        self.attempt("forget", lambda _: None)

    def clear(self) -> None:
        """Drop every entry, after which the same key may mean another vector. Raises RedisError.

        Entries only: limits and leases stay, and whatever else the server holds.
        """
        names: list[bytes] = []
        for name in self._redis.scan_iter(match=_PREFIX + b"*", count=_CLEARED_AT_ONCE):
            names.append(name)
            if len(names) == _CLEARED_AT_ONCE:
                self._redis.unlink(*names)
                names.clear()
        if names:
            self._redis.unlink(*names)

    def attempt(self, what: str, call: Callable[[Redis], Answer]) -> Answer | None:
        """What `call` gives; None when the server fails, or failed within the last second."""
        if not self._may_ask():
            return None
        try:
            if self._unsent:
                self._send_forgotten()
            answer = call(self._redis)
        except RedisError as error:
            self._failed(what, error)
            return None
        self._away_until = 0.0
        return answer

    def _send_forgotten(self) -> None:
        with self._lock:
            keys = list(self._unsent)
        for start in range(0, len(keys), _FORGOTTEN_AT_ONCE):
            sent = keys[start : start + _FORGOTTEN_AT_ONCE]
            self._redis.eval(_FORGET, len(sent), *map(value_name, sent), _FORGOTTEN, _FORGET_SECONDS)
            with self._lock:
                for key in sent:
                    self._unsent.pop(key, None)

    def _may_ask(self) -> bool:
        """While the server is away, one caller a second finds out whether it is back."""
        if not self._away_until:
            return True
        with self._lock:
            now = time.monotonic()
            if now < self._away_until:
                return False
            self._away_until = now + AWAY_SECONDS
            return True

    def _failed(self, what: str, error: RedisError) -> None:
        with self._lock:
            self._away_until = time.monotonic() + AWAY_SECONDS
        logger.warning("cache %s failed: %s", what, type(error).__name__)
