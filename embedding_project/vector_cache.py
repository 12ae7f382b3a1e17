"""The embedding cache: frames of `EmbeddedText` under the hash of model version, prompt and text.

Read by the gateway, written by the embedders, emptied by deletes. Without its Redis everything works, slower.
A forgotten key holds an empty value for a minute: writes go through SET NX, so a late write-back cannot undo it.
"""

import logging
from collections.abc import Mapping, Sequence
from typing import cast

from redis import Redis
from redis.exceptions import RedisError

from embedding_project.contracts.vectors import EmbeddedText

_PREFIX = b"v:"
_FORGOTTEN = b""
_FORGET_SECONDS = 60
# One command for a whole step: 64 SET commands cost the client six times the processor time.
_PUT = "for i = 1, #KEYS do redis.call('SET', KEYS[i], ARGV[i + 1], 'EX', ARGV[1], 'NX') end"
logger = logging.getLogger(__name__)


class VectorCache:
    def __init__(self, redis: Redis, ttl_seconds: int) -> None:
        self._redis = redis
        self._ttl_seconds = ttl_seconds
        self._put = redis.register_script(_PUT)

    def get_many(self, keys: Sequence[bytes], dimension: int) -> list[EmbeddedText | None]:
        """The cached embeddings in the order of `keys`; None where there is none or the frame is not sound."""
        if not keys:
            return []
        try:
            frames = cast(list[bytes | None], self._redis.mget([_PREFIX + key for key in keys]))
        except RedisError as error:
            logger.warning("cache read failed: %s", type(error).__name__)
            return [None] * len(keys)
        return [EmbeddedText.from_frame(frame, dimension) if frame else None for frame in frames]

    def put_many(self, frames: Mapping[bytes, bytes]) -> None:
        """Keep `frames` for the time to live, unless a key was forgotten within the last minute."""
        try:
            self._put([_PREFIX + key for key in frames], [self._ttl_seconds, *frames.values()])
        except RedisError as error:
            logger.warning("cache write failed: %s", type(error).__name__)

    def forget(self, keys: Sequence[bytes]) -> None:
        """Drop the entries and refuse to take them back for a minute."""
        try:
            pipeline = self._redis.pipeline(transaction=False)
            for key in keys:
                pipeline.set(_PREFIX + key, _FORGOTTEN, ex=_FORGET_SECONDS)
            pipeline.execute()
        except RedisError as error:
            logger.warning("cache forget failed: %s", type(error).__name__)

    def clear(self) -> None:
        """Drop every entry, after which the same key may mean another vector. Raises RedisError."""
        self._redis.flushdb(asynchronous=True)
