"""What carries messages to the shards and their answers back."""

from collections.abc import Iterable
from typing import Protocol

from redis import Redis
from redis.exceptions import RedisError

from embedding_project.broker.dispatch import send_search
from embedding_project.broker.inbox import OnSearchReply, reply_inbox
from embedding_project.broker.redis_clients import broker_client
from embedding_project.config import load_config
from embedding_project.contracts.errors import Unavailable
from embedding_project.contracts.messages import SearchBatch
from embedding_project.contracts.queues import search_queue
from embeddings_app.services.search.circuits import ShardKey

_GLANCE_SECONDS = 0.25
"""A broker that takes longer to tell the length of a queue is in no state for additional messages."""

DESERTED_TTL_MS = 5_000
"""More than any search waits: what is still in a queue then, nobody wants."""


class ShardTransport(Protocol):
    @property
    def inbox(self) -> str:
        """Redis list that the answers go to."""

    def send(self, layout: int, shards: Iterable[int], batch: SearchBatch) -> None:
        """Raises ServiceError."""

    def queue_length(self, key: ShardKey) -> int:
        """Messages nobody has taken yet. Raises ServiceError."""

    def let_expire(self, keys: Iterable[ShardKey]) -> None:
        """Have the queues deleted unless they are consumed. Raises ServiceError."""

    def expect(self, fanout_id: str, on_reply: OnSearchReply) -> None: ...

    def forget(self, fanout_id: str) -> None: ...


class SearchQueues:
    """What a sender asks of the queues besides sending: how long one is, and that a deserted one goes by itself."""

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


class BrokerTransport:
    """Over Celery messages, and the reply inbox of this process."""

    def __init__(self) -> None:
        self._replies = reply_inbox()
        self._queues = SearchQueues(broker_client(load_config().redis_url, timeout_seconds=_GLANCE_SECONDS))

    @property
    def inbox(self) -> str:
        return self._replies.name

    def send(self, layout: int, shards: Iterable[int], batch: SearchBatch) -> None:
        send_search(layout, shards, batch)

    def queue_length(self, key: ShardKey) -> int:
        return self._queues.length(search_queue(*key))

    def let_expire(self, keys: Iterable[ShardKey]) -> None:
        self._queues.let_expire(search_queue(*key) for key in keys)

    def expect(self, fanout_id: str, on_reply: OnSearchReply) -> None:
        self._replies.expect_search(fanout_id, on_reply)

    def forget(self, fanout_id: str) -> None:
        self._replies.forget(fanout_id)
