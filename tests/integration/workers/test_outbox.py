"""Replies reach their inboxes, late rather than never, until nobody waits for them."""

import time
from typing import cast

import pytest
from redis import Redis
from redis.exceptions import RedisError

from embedding_project.broker.redis_clients import broker_client
from embedding_project.contracts.messages import EmbedReply, decode_reply
from tests.unit.workers.builders import batch
from workers.outbox import Outbox


def reply(batch_id: str) -> EmbedReply:
    return EmbedReply(batch_id=batch_id, outcomes=("model_error",))


def test_replies_arrive_in_order_and_the_inbox_expires(redis: Redis) -> None:
    outbox = Outbox(redis)
    for name in "abc":
        outbox.add(batch("text"), reply(name))
    outbox.flush()
    sent = cast(list[bytes], redis.lrange("reply.test", 0, -1))
    assert [decode_reply(wire) for wire in sent] == [reply(name) for name in "abc"]
    assert 0 < redis.pttl("reply.test") <= 60_000


def test_a_reply_stays_while_the_broker_is_away(redis: Redis) -> None:
    outbox = Outbox(broker_client("redis://127.0.0.1:1/0"))
    outbox.add(batch("text"), reply("a"))
    with pytest.raises(RedisError):
        outbox.flush()
    outbox._redis = redis
    outbox.flush()
    assert redis.llen("reply.test") == 1


def test_a_reply_nobody_waits_for_any_more_is_dropped(redis: Redis) -> None:
    outbox = Outbox(redis)
    outbox.add(batch("text", deadline=time.time() - 1), reply("a"))
    outbox.flush()
    assert redis.llen("reply.test") == 0


def test_an_inbox_that_refuses_does_not_hold_up_the_others(redis: Redis) -> None:
    redis.set("reply.broken", "not a list")
    outbox = Outbox(redis)
    outbox.add(batch("text", inbox="reply.broken"), reply("a"))
    outbox.add(batch("text"), reply("b"))
    for _ in range(2):
        outbox.flush()
    assert redis.llen("reply.test") == 1
    redis.delete("reply.broken")
    outbox.flush()
    assert redis.llen("reply.broken") == 1
