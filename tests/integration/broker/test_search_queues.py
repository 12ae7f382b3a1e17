"""The bound of search queues that nobody consumes, over a real broker: what has expired goes, and nothing else."""

import time
import uuid
from typing import cast

import numpy as np
import pytest
from redis import Redis

from embedding_project.broker.dispatch import search_messages
from embedding_project.broker.envelope import task_argument
from embedding_project.contracts.messages import SearchBatch, ShardQuery
from embedding_project.contracts.queues import SEARCH_TASK, search_queue
from embeddings_app.services.search.shard_link import SearchQueues

LAYOUT, VERSION = 1, 1
QUEUE = search_queue(LAYOUT, VERSION, 0)
QUERY = ShardQuery(version_key=VERSION, namespace_key=2, top_k=3, ef_search=4, exact=False, filter="")


def _send(redis: Redis, seconds: float) -> str:
    """Send a search whose deadline is in `seconds`; gives its id."""
    batch = SearchBatch(
        fanout_id=uuid.uuid4().hex,
        inbox="reply.x",
        epoch="e",
        deadline=time.time() + seconds,
        queries=(QUERY,),
        vectors=np.ones((1, 4), np.float32),
    )
    (message,) = search_messages(LAYOUT, (0,), batch)
    redis.lpush(message.queue, message.text)
    return batch.fanout_id


def _waiting(redis: Redis) -> list[str]:
    """Ids of the messages in the queue, the oldest first."""
    return [_fanout_id(raw) for raw in reversed(cast(list[bytes], redis.lrange(QUEUE, 0, -1)))]


def _fanout_id(raw: bytes) -> str:
    return SearchBatch.from_wire(task_argument(raw, SEARCH_TASK)).fanout_id


def _expire() -> None:
    """Let the deadlines that were over when their messages were sent be over for Redis too."""
    time.sleep(0.01)


def test_a_queue_that_is_never_empty_loses_no_message_that_somebody_waits_for(redis: Redis) -> None:
    queues, waited_for = SearchQueues(redis), [_send(redis, 30), _send(redis, 30)]
    for _ in range(20):
        waited_for.append(_send(redis, 30))
        queues.drop_expired([QUEUE])
        raw = redis.rpop(QUEUE)
        assert isinstance(raw, bytes)
        assert _fanout_id(raw) == waited_for.pop(0)
    assert _waiting(redis) == waited_for
    assert redis.ttl(QUEUE) == -1, "the queue must not go as a whole, whatever is in it then"


def test_a_queue_that_nobody_consumes_does_not_grow(redis: Redis) -> None:
    queues = SearchQueues(redis)
    for _ in range(50):
        _send(redis, 0)
        _expire()
        queues.drop_expired([QUEUE])
    assert redis.llen(QUEUE) == 0


def test_the_oldest_go_until_one_is_waited_for(redis: Redis) -> None:
    for _ in range(3):
        _send(redis, 0)
    kept = [_send(redis, 30), _send(redis, 0), _send(redis, 30)]
    _expire()
    SearchQueues(redis).drop_expired(["search.nobody", QUEUE])
    assert _waiting(redis) == kept


@pytest.mark.parametrize(
    "garbage", [b"", b"no json", b"null", b"[]", b'{"headers": 1}', b'{"headers": {"expires": null}}']
)
def test_a_message_that_never_expires_does_not_stop_it(redis: Redis, garbage: bytes) -> None:
    redis.lpush(QUEUE, garbage)
    kept = _send(redis, 30)
    SearchQueues(redis).drop_expired([QUEUE])
    assert _waiting(redis) == [kept]
