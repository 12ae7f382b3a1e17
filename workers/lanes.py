"""The embed lanes in Redis: popped in bulk at the tail, where the oldest messages are; put back there at a stop."""

from collections.abc import Sequence
from typing import Any, cast

from redis import Redis

from embedding_project.contracts.messages import Lane
from embedding_project.contracts.queues import embed_queue

_ALL = [embed_queue(Lane.INTERACTIVE), embed_queue(Lane.BULK)]


class EmbedLanes:
    """Every call raises RedisError when the broker cannot be reached."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    def wait(self, seconds: float, count: int) -> list[bytes]:
        """Up to `count` messages of the first lane that has any, interactive before bulk; none after `seconds`."""
        return _messages(self._redis.blmpop(seconds, len(_ALL), *_ALL, direction="RIGHT", count=count))

    def pop(self, lane: Lane, count: int) -> list[bytes]:
        """Up to `count` messages that are there now, oldest first."""
        return _messages(self._redis.lmpop(1, embed_queue(lane), direction="RIGHT", count=count))

    def put_back(self, messages: Sequence[tuple[Lane, bytes]]) -> None:
        """Make `messages`, oldest first, the next ones to be popped."""
        pipeline = self._redis.pipeline(transaction=False)
        for lane, raw in reversed(messages):
            pipeline.rpush(embed_queue(lane), raw)
        pipeline.execute()


def _messages(popped: object) -> list[bytes]:
    return cast(list[Any], popped)[1] if popped else []
