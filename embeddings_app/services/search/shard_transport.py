"""What carries messages to the shards and their answers back."""

from collections.abc import Iterable
from datetime import UTC, datetime
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

_MOST_DROPPED = 100
"""Messages that one call takes out of a queue: Redis does nothing else meanwhile."""
_DROP_EXPIRED = """
for _ = 1, tonumber(ARGV[2]) do
  local oldest = redis.call('LINDEX', KEYS[1], -1)
  if not oldest then return end
  local read, message = pcall(cjson.decode, oldest)
  if read and type(message) == 'table' and type(message.headers) == 'table'
    and type(message.headers.expires) == 'string' and message.headers.expires > ARGV[1] then return end
  redis.call('RPOP', KEYS[1])
end
"""
"""Times are in ISO 8601 and UTC, so they sort as text. A message without one is no search."""


class ShardTransport(Protocol):
    @property
    def inbox(self) -> str:
        """Redis list that the answers go to."""

    def send(self, layout: int, shards: Iterable[int], batch: SearchBatch) -> None:
        """Raises ServiceError."""

    def queue_length(self, key: ShardKey) -> int:
        """Messages nobody has taken yet. Raises ServiceError."""

    def drop_expired(self, keys: Iterable[ShardKey]) -> None:
        """Remove the messages that nobody waits for any more. Raises ServiceError."""

    def expect(self, fanout_id: str, on_reply: OnSearchReply) -> None: ...

    def forget(self, fanout_id: str) -> None: ...


class SearchQueues:
    """What a sender asks of the queues besides sending: how long one is, and that a deserted one does not grow."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    def length(self, queue: str) -> int:
        """Messages that no replica has taken yet. Raises Unavailable."""
        try:
            return int(self._redis.llen(queue))
        except RedisError as error:
            raise Unavailable("broker_unavailable") from error

    def drop_expired(self, queues: Iterable[str]) -> None:
        """Remove the oldest messages while they are beyond their time, and no other. Raises Unavailable."""
        now = datetime.now(UTC).isoformat()
        try:
            for queue in queues:
                self._redis.eval(_DROP_EXPIRED, 1, queue, now, _MOST_DROPPED)
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

    def drop_expired(self, keys: Iterable[ShardKey]) -> None:
        self._queues.drop_expired(search_queue(*key) for key in keys)

    def expect(self, fanout_id: str, on_reply: OnSearchReply) -> None:
        self._replies.expect_search(fanout_id, on_reply)

    def forget(self, fanout_id: str) -> None:
        self._replies.forget(fanout_id)
