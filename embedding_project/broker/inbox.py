"""The reply inbox: one Redis list per process, and one thread that decodes replies and gives them to the waiters.

Embedders push replies under the id of the batch. The thread only decodes and calls. A reply without a waiter is
dropped. (Searches have no part in this: who carries them waits for the replies itself.)
"""

import logging
import time
import uuid
from collections.abc import Callable
from functools import cache
from typing import cast

from redis import Redis
from redis.exceptions import RedisError

from embedding_project.broker.redis_clients import broker_client
from embedding_project.config import load_config
from embedding_project.contracts.messages import EmbedReply, decode_reply
from embedding_project.observing.log_lines import place_of
from embedding_project.threads.background import repeat_forever

REPLY_TTL_MS = 60_000
"""A reply outlives every deadline, then Redis removes it: so the list of a dead process does not stay."""
_POP_TIMEOUT_SECONDS = 1
_POP_COUNT = 64
_PAUSE_AFTER_ERROR_SECONDS = 0.2
logger = logging.getLogger(__name__)

OnEmbedReply = Callable[[EmbedReply], None]


class ReplyInbox:
    def __init__(self, redis: Redis) -> None:
        self.name = f"reply.{uuid.uuid4().hex}"
        self._redis = redis
        self._embeds: dict[str, OnEmbedReply] = {}
        self._cut_off = False
        repeat_forever("reply-inbox", self._collect)

    def expect_embed(self, batch_id: str, on_reply: OnEmbedReply) -> None:
        """Call `on_reply` once, in the thread of the inbox, with the reply to the batch."""
        self._embeds[batch_id] = on_reply

    def forget(self, batch_id: str) -> None:
        self._embeds.pop(batch_id, None)

    def _collect(self) -> None:
        try:
            popped = self._redis.blmpop(_POP_TIMEOUT_SECONDS, 1, self.name, direction="LEFT", count=_POP_COUNT)
        except RedisError as error:
            if not self._cut_off:
                logger.warning("reply inbox: cut off from the broker, %s", type(error).__name__)
            self._cut_off = True
            time.sleep(_PAUSE_AFTER_ERROR_SECONDS)
            return
        self._cut_off = False
        for data in cast(list[bytes], popped[1]) if popped else ():
            try:
                self._deliver(data)
            except Exception as error:  # noqa: BLE001
                # The other replies of this pop are in no list any more, so they must be delivered.
                logger.error("reply inbox: a reply was lost: %s", place_of(error))

    def _deliver(self, data: bytes) -> None:
        try:
            reply = decode_reply(data)
        except ValueError:
            logger.warning("reply inbox: dropped %d bytes that are not a reply", len(data))
            return
        if not isinstance(reply, EmbedReply):
            logger.warning("reply inbox: dropped a reply of another kind")
            return
        on_reply = self._embeds.pop(reply.batch_id, None)
        if on_reply:
            on_reply(reply)


@cache
def reply_inbox() -> ReplyInbox:
    """The inbox of this process, opened at first use (never before a fork)."""
    return ReplyInbox(broker_client(load_config().redis_url, timeout_seconds=_POP_TIMEOUT_SECONDS + 2.0))
