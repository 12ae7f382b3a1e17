"""The way of a node to its queues: the reply to one message goes out with the wish for the next, in one round trip."""

import time
from collections.abc import Callable, Sequence
from typing import NamedTuple, cast

from redis import Redis

from embedding_project.broker.inbox import REPLY_TTL_MS
from embedding_project.contracts.census import CensusReply
from embedding_project.contracts.messages import SearchReply

_RENEW_SECONDS = 1.0


class Addressed(NamedTuple):
    """A reply, and the Redis list of the process that asked."""

    inbox: str
    reply: SearchReply | CensusReply


def push_reply(redis: Redis, answer: Addressed) -> None:
    """Send one reply alone. Raises RedisError."""
    pipeline = redis.pipeline(transaction=False)
    pipeline.rpush(answer.inbox, answer.reply.to_wire())
    pipeline.pexpire(answer.inbox, REPLY_TTL_MS)
    pipeline.execute()


class Taken(NamedTuple):
    """A message, and the queue that it lay in."""

    queue: str
    raw: bytes


class QueueLine:
    """For one thread. The inbox of a process that died must not stay: once a second, the inboxes that got a reply get
    their time to live, and so every inbox does after its last reply."""

    def __init__(self, redis: Redis, clock: Callable[[], float] = time.monotonic) -> None:
        self._redis = redis
        self._clock = clock
        self._written: set[str] = set()
        self._renew_at = 0.0

    def exchange(self, answer: Addressed | None, queues: Sequence[str], seconds: float) -> Taken | None:
        """Send the reply, and wait so long for the next message of the first of `queues` that has one. Raises
        RedisError; the reply is lost then, or has arrived."""
        pipeline = self._redis.pipeline(transaction=False)
        if answer:
            pipeline.rpush(answer.inbox, answer.reply.to_wire())
            self._written.add(answer.inbox)
        renews = bool(self._written) and self._clock() >= self._renew_at
        for inbox in self._written if renews else ():
            pipeline.pexpire(inbox, REPLY_TTL_MS)
        if queues:
            pipeline.brpop(list(queues), timeout=seconds)
        results = pipeline.execute()
        if renews:
            self._written.clear()
            self._renew_at = self._clock() + _RENEW_SECONDS
        popped = cast(tuple[bytes, bytes] | None, results[-1]) if queues else None
        return Taken(popped[0].decode(), popped[1]) if popped else None
