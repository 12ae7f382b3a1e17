"""Replies on their way to the inboxes. A reply stays here until the broker takes it or its deadline is over."""

import time
from collections import defaultdict
from dataclasses import dataclass

from redis import Redis
from redis.exceptions import RedisError

from embedding_project.broker.inbox import REPLY_TTL_MS
from embedding_project.contracts.messages import EmbedBatch, EmbedHead, EmbedReply
from workers.metrics import BROKER_ERRORS


@dataclass(frozen=True, slots=True)
class _Addressed:
    inbox: str
    deadline: float
    wire: bytes


class Outbox:
    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._replies: list[_Addressed] = []

    def add(self, batch: EmbedBatch | EmbedHead, reply: EmbedReply) -> None:
        self._replies.append(_Addressed(batch.inbox, batch.deadline, reply.to_wire()))

    def flush(self) -> None:
        """Send all replies in one round trip. Raises RedisError; the next call sends them again.

        So a reply may arrive twice; its receiver ignores the second one.
        """
        now = time.time()
        self._replies = [reply for reply in self._replies if reply.deadline > now]
        if not self._replies:
            return
        by_inbox: defaultdict[str, list[bytes]] = defaultdict(list)
        for reply in self._replies:
            by_inbox[reply.inbox].append(reply.wire)
        pipeline = self._redis.pipeline(transaction=False)
        for inbox, wires in by_inbox.items():
            pipeline.rpush(inbox, *wires)
            pipeline.pexpire(inbox, REPLY_TTL_MS)
        # The first of every two results is that of the push. An inbox that refuses must not stop the other inboxes.
        pushed = pipeline.execute(raise_on_error=False)[::2]
        refused = {inbox for inbox, result in zip(by_inbox, pushed, strict=True) if isinstance(result, RedisError)}
        self._replies = [reply for reply in self._replies if reply.inbox in refused]
        BROKER_ERRORS.inc(len(refused))
