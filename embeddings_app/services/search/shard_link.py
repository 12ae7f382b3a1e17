"""A way to the shards and back: messages into their queues, replies out of a list of its own."""

import logging
import time
import uuid
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Protocol, cast

from redis import Redis
from redis.exceptions import RedisError

from embedding_project.broker.redis_clients import LEAST_SILENCE_SECONDS, broker_client, silent_until
from embedding_project.broker.task_messages import QueuedMessage
from embedding_project.config import load_config
from embedding_project.contracts.errors import Unavailable
from embedding_project.contracts.messages import SearchReply, decode_reply

_LONGEST_WAIT_SECONDS = 1.0
_SHORTEST_WAIT_SECONDS = 0.001
"""Redis takes a wait of zero for one without end."""
_REPLIES_AT_ONCE = 64
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
logger = logging.getLogger(__name__)


class ShardLink(Protocol):
    """For one thread at a time."""

    @property
    def inbox(self) -> str:
        """Redis list that the replies go to."""

    def exchange(self, messages: Sequence[QueuedMessage], seconds: float, deadline: float) -> list[SearchReply]:
        """Send the messages, then wait so long for the next replies; gives those that are there by then. Raises
        Unavailable, at `deadline` (monotonic seconds) or a moment later when the way is silent."""

    def queue_length(self, queue: str) -> int:
        """Messages nobody has taken yet. Raises Unavailable."""

    def drop_expired(self, queues: Iterable[str]) -> None:
        """Remove the messages that nobody waits for any more. Raises Unavailable."""


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


class BrokerLink:
    """Over the broker, with a connection of its own."""

    def __init__(self, url: str) -> None:
        self.inbox = f"reply.{uuid.uuid4().hex}"
        self._redis = broker_client(url, timeout_seconds=_LONGEST_WAIT_SECONDS + 1.0)
        # A broker that takes longer to tell the length of a queue is in no state for additional messages.
        self._queues = SearchQueues(broker_client(url, timeout_seconds=LEAST_SILENCE_SECONDS))

    def exchange(self, messages: Sequence[QueuedMessage], seconds: float, deadline: float) -> list[SearchReply]:
        wait = min(max(seconds, _SHORTEST_WAIT_SECONDS), _LONGEST_WAIT_SECONDS)
        # In one round trip: Redis runs the commands one after the other, and the last one waits.
        pipeline = self._redis.pipeline(transaction=False)
        for queue, text in messages:
            pipeline.lpush(queue, text)
        pipeline.blmpop(wait, 1, self.inbox, direction="LEFT", count=_REPLIES_AT_ONCE)
        until = max(deadline, time.monotonic() + wait + LEAST_SILENCE_SECONDS)
        try:
            with silent_until(until):
                popped = pipeline.execute()[-1]
        except RedisError as error:
            raise Unavailable("broker_unavailable") from error
        return list(_replies(cast(list[bytes], popped[1]))) if popped else []

    def queue_length(self, queue: str) -> int:
        return self._queues.length(queue)

    def drop_expired(self, queues: Iterable[str]) -> None:
        self._queues.drop_expired(queues)


def _replies(popped: Iterable[bytes]) -> Iterable[SearchReply]:
    for data in popped:
        try:
            reply = decode_reply(data)
        except ValueError:
            reply = None
        if isinstance(reply, SearchReply):
            yield reply
        else:
            logger.warning("dropped %d bytes that are not the reply of a shard", len(data))


def broker_link() -> BrokerLink:
    """A new one, to the broker of this process."""
    return BrokerLink(load_config().redis_url)
