"""What a sender asks of the search queues besides sending: how long one is, and that a deserted one goes by itself."""

from collections.abc import Iterable

from redis import Redis
from redis.exceptions import RedisError

from embedding_project.contracts.errors import Unavailable

DESERTED_TTL_MS = 5_000
"""More than any search waits: what is still in a queue then, nobody wants."""


class SearchQueues:
    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    def length(self, queue: str) -> int:
        """Messages that no replica has taken yet. Raises Unavailable."""
        try:
            return int(self._redis.llen(queue))
        except RedisError as error:
            raise Unavailable("broker_unavailable") from error

    def let_expire(self, queues: Iterable[str]) -> None:
        """Have Redis delete the queues soon, unless replicas empty them before. Raises Unavailable.

        Redis forgets this with the last message taken, so a queue that is consumed loses nothing.
        """
        try:
            with self._redis.pipeline(transaction=False) as pipeline:
                for queue in queues:
                    pipeline.pexpire(queue, DESERTED_TTL_MS)
                pipeline.execute()
        except RedisError as error:
            raise Unavailable("broker_unavailable") from error
