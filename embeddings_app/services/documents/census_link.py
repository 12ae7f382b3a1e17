"""The way of one question for counts to the shards, and of their answers back."""

import time
import uuid
from collections.abc import Sequence
from functools import cache
from typing import cast

from redis import Redis
from redis.exceptions import RedisError

from embedding_project.broker.redis_clients import LEAST_SILENCE_SECONDS, broker_client, silent_until
from embedding_project.broker.task_messages import QueuedMessage
from embedding_project.config import load_config
from embedding_project.contracts.census import Census, CensusReply
from embedding_project.contracts.errors import Unavailable

MOST_WAITING = 4
"""Messages in the queue of a shard, heavy searches among them, behind which a count would wait for too long."""
_SHORTEST_WAIT_SECONDS = 0.001
"""Redis takes a wait of zero for one without end."""


class CensusLink:
    """For one question."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self.inbox = f"reply.{uuid.uuid4().hex}"

    def ask(self, messages: Sequence[QueuedMessage], deadline: float) -> list[Census] | None:
        """The answer of every shard; None as soon as one gave none, or is too busy. `deadline`: monotonic seconds.
        Raises Unavailable."""
        try:
            with silent_until(deadline + LEAST_SILENCE_SECONDS):
                return self._answers(messages, deadline) if self._queues_are_short(messages) else None
        except RedisError as error:
            raise Unavailable("broker_unavailable") from error

    def _queues_are_short(self, messages: Sequence[QueuedMessage]) -> bool:
        # A shard that is away leaves its messages in the queue, which so never has more than a few.
        pipeline = self._redis.pipeline(transaction=False)
        for message in messages:
            pipeline.llen(message.queue)
        return all(length < MOST_WAITING for length in pipeline.execute())

    def _answers(self, messages: Sequence[QueuedMessage], deadline: float) -> list[Census] | None:
        pipeline = self._redis.pipeline(transaction=False)
        for queue, text in messages:
            pipeline.lpush(queue, text)
        pipeline.execute()
        answers: dict[int, Census] = {}
        while len(answers) < len(messages):
            wait = deadline - time.monotonic()
            popped = self._redis.blpop([self.inbox], max(wait, _SHORTEST_WAIT_SECONDS)) if wait > 0 else None
            reply = _reply(cast(tuple[bytes, bytes], popped)[1]) if popped else None
            if reply is None or isinstance(reply.outcome, str):
                return None
            answers[reply.shard] = reply.outcome
        return list(answers.values())


def _reply(data: bytes) -> CensusReply | None:
    try:
        return CensusReply.from_wire(data)
    except ValueError:
        return None


def new_link() -> CensusLink:
    """To the broker of this process."""
    return CensusLink(_broker())


@cache
def _broker() -> Redis:
    return broker_client(load_config().redis_url)
