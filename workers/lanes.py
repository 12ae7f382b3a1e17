"""The embed lanes in Redis. The oldest messages are at the tail: many are popped there at once, and put back there."""

from collections.abc import Mapping, Sequence
from typing import Any, cast

from redis import Redis
from redis.exceptions import RedisError

from embedding_project.contracts.messages import Lane
from embedding_project.contracts.queues import embed_queue

_QUEUES = [embed_queue(lane) for lane in Lane]


class EmbedLanes:
    """Every call is one round trip, and raises RedisError when the broker cannot be reached."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    def wait(self, seconds: float) -> list[bytes]:
        """The oldest message of the first lane that has any, interactive before bulk; none after `seconds`."""
        return _messages(self._redis.blmpop(seconds, len(_QUEUES), *_QUEUES, direction="RIGHT", count=1))

    def pop(self, counts: Mapping[Lane, int]) -> list[bytes]:
        """Up to so many of the messages that wait now in each lane, oldest first."""
        pipeline = self._redis.pipeline(transaction=False)
        for lane, count in counts.items():
            pipeline.lmpop(1, embed_queue(lane), direction="RIGHT", count=count)
        # When one lane refuses, the messages of the other lane must not be lost.
        popped = pipeline.execute(raise_on_error=False)
        messages = [raw for result in popped if not isinstance(result, RedisError) for raw in _messages(result)]
        for result in popped:
            if isinstance(result, RedisError) and not messages:
                raise result
        return messages

    def put_back(self, messages: Sequence[tuple[Lane, bytes]]) -> None:
        """Put `messages`, oldest first, where they are popped next."""
        pipeline = self._redis.pipeline(transaction=False)
        for lane, raw in reversed(messages):
            pipeline.rpush(embed_queue(lane), raw)
        pipeline.execute()


def _messages(popped: object) -> list[bytes]:
    return cast(list[Any], popped)[1] if popped else []
