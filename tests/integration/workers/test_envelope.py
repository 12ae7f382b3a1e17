"""Messages are read as kombu really writes them, and nothing else stops the reader."""

import base64
import json
from contextlib import suppress
from dataclasses import replace
from typing import Any

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st
from redis import Redis

from embedding_project.broker.envelope import CorruptMessage
from embedding_project.celery import query_app
from embedding_project.contracts.messages import EmbedBatch, Lane
from embedding_project.contracts.queues import EMBED_TASK, embed_queue
from tests.unit.workers.builders import HASHING, batch
from workers.envelope import decode_message
from workers.lanes import EmbedLanes

NO_TEXT: Any = []


def publish(url: str, sent: EmbedBatch, task: str = EMBED_TASK) -> None:
    with query_app.connection_for_write(url) as connection:
        options = {"queue": embed_queue(sent.lane), "expires": 30, "argsrepr": "-", "kwargsrepr": "-"}
        query_app.send_task(task, args=(sent.to_wire(),), connection=connection, **options)


def test_a_message_that_celery_published_gives_its_batch(valkey_url: str, redis: Redis) -> None:
    sent = batch("grüße", "b", lane=Lane.BULK)
    publish(valkey_url, sent)
    (raw,) = EmbedLanes(redis).wait(1)
    assert decode_message(raw) == sent


def test_the_oldest_messages_come_first_and_interactive_before_bulk(valkey_url: str, redis: Redis) -> None:
    bulk, first, second = batch("bulk", lane=Lane.BULK), batch("first"), batch("second")
    for sent in (bulk, first, second):
        publish(valkey_url, sent)
    lanes = EmbedLanes(redis)
    for expected in (first, second, bulk):
        assert [decode_message(raw) for raw in lanes.wait(1)] == [expected]


def test_both_lanes_are_popped_in_one_call_the_oldest_first(valkey_url: str, redis: Redis) -> None:
    bulk, first, second = batch("bulk", lane=Lane.BULK), batch("first"), batch("second")
    for sent in (bulk, first, second):
        publish(valkey_url, sent)
    popped = EmbedLanes(redis).pop({Lane.INTERACTIVE: 1, Lane.BULK: 3})
    assert [decode_message(raw) for raw in popped] == [first, bulk]


def test_a_lane_that_refuses_does_not_take_the_messages_of_the_other(valkey_url: str, redis: Redis) -> None:
    redis.set("embed.interactive", "not a list")
    bulk = batch("bulk", lane=Lane.BULK)
    publish(valkey_url, bulk)
    popped = EmbedLanes(redis).pop({Lane.INTERACTIVE: 1, Lane.BULK: 1})
    assert [decode_message(raw) for raw in popped] == [bulk]


def test_messages_put_back_are_the_next_ones_in_their_old_order(valkey_url: str, redis: Redis) -> None:
    for name in "abc":
        publish(valkey_url, batch(name))
    lanes = EmbedLanes(redis)
    popped = lanes.pop({Lane.INTERACTIVE: 2})
    lanes.put_back([(Lane.INTERACTIVE, raw) for raw in popped])
    assert [decode_message(raw).items[0].text for raw in lanes.pop({Lane.INTERACTIVE: 10})] == ["a", "b", "c"]


def test_waiting_for_empty_lanes_ends(redis: Redis) -> None:
    assert EmbedLanes(redis).wait(0.05) == []


def envelope(body: bytes, task: str = EMBED_TASK, content_type: str = "application/x-msgpack") -> bytes:
    message = {"body": base64.b64encode(body).decode(), "headers": {"task": task}, "content-type": content_type}
    return json.dumps(message).encode()


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"not json",
        b"[]",
        b"null",
        b"{}",
        b'{"headers": 1, "content-type": 2}',
        b"[" * 100_000,
        envelope(b"", task="other"),
        envelope(b"", content_type="application/x-python-serialize"),
        envelope(b""),
        envelope(b"\xc1"),
        envelope(msgpack.packb(([], {}, {}))),
        envelope(msgpack.packb((["text"], {}, {}))),
        envelope(msgpack.packb(([msgpack.packb([1, 2, 3])], {}, {}))),
        envelope(msgpack.packb(([batch("a", deadline="soon").to_wire()], {}, {}))),
        envelope(msgpack.packb(([batch("a", inbox=None).to_wire()], {}, {}))),
        envelope(msgpack.packb(([batch().to_wire()], {}, {}))),
        envelope(msgpack.packb(([batch("a", model=replace(HASHING, artifact=NO_TEXT)).to_wire()], {}, {}))),
        envelope(msgpack.packb(([batch("a").to_wire()[:-1]], {}, {}))),
        envelope(msgpack.packb(([batch("a").to_wire() + b"\x00"], {}, {}))),
    ],
)
def test_what_is_no_embed_batch_is_corrupt(raw: bytes) -> None:
    with pytest.raises(CorruptMessage):
        decode_message(raw)


@given(st.binary(max_size=200), st.integers(0, 10_000))
def test_damage_is_found_or_harmless(noise: bytes, place: int) -> None:
    whole = envelope(msgpack.packb(([batch("a", "b").to_wire()], {}, {})))
    place %= len(whole)
    with suppress(CorruptMessage):
        assert decode_message(whole[:place] + noise + whole[place + len(noise) :]).items


def test_a_fault_never_quotes_the_message() -> None:
    with pytest.raises(CorruptMessage) as caught:
        decode_message(envelope(msgpack.packb(([b"secret text"], {}, {}))))
    assert "secret" not in str(caught.value)
