"""What is no message of a queue is dropped and counted, and the worker goes on."""

import base64
import json
import time
from collections.abc import Mapping
from typing import Any

import httpx
import pytest
from kombu import Connection, Consumer, Queue
from kombu.message import Message
from redis import Redis

from embedding_project.broker.transport import CORRUPT_JOBS
from embedding_project.celery import job_app, query_app
from embedding_project.config import load_config
from embedding_project.contracts.queues import INDEX_TASK, job_task
from supervisor import instance
from tests.conftest import Service
from tests.faults.roles import processes

PATIENCE_SECONDS = 60.0
GOOD: Mapping[str, Any] = {
    "body": base64.b64encode(b"[[], {}, {}]").decode(),
    "content-type": "application/json",
    "content-encoding": "utf-8",
    "headers": {"task": "any", "id": "1"},
    "properties": {
        "delivery_tag": "1", "delivery_info": {"exchange": "", "routing_key": "garbage"}, "body_encoding": "base64",
    },
}  # fmt: skip


def _changed(**fields: Any) -> bytes:
    return json.dumps({**GOOD, **fields}).encode()


def _body(
    body: object, task: str = "any", content_type: str = "application/json", raw: bytes = b"", **headers: Any
) -> bytes:
    encoded = base64.b64encode(raw or json.dumps(body).encode()).decode()
    return _changed(body=encoded, headers={"task": task, "id": "1", **headers}, **{"content-type": content_type})


def _properties(**fields: Any) -> bytes:
    return _changed(properties={**GOOD["properties"], **fields})


GARBAGE: dict[str, bytes] = {
    "no JSON": b"garbage",
    "nothing": b"",
    "no UTF-8": b"\xff\xfe",
    "a number": b"5",
    "null": b"null",
    "a list": b"[]",
    "a string": b'"x"',
    "an empty object": b"{}",
    "nested deep": b"[" * 100_000,
    "no properties": _changed(properties=None),
    "no headers": _changed(headers=None),
    "headers without a task": _changed(headers={"id": "1"}),
    "a task that is a list": _changed(headers={"task": [], "id": "1"}),
    "no id": _changed(headers={"task": "any"}),
    "a body that is no text": _changed(body=5),
    "a body that is no base64": _changed(body="x"),
    "an unknown encoding of the body": _properties(body_encoding="rot13"),
    "a tag that is an object": _properties(delivery_tag={}),
    "no address": _properties(delivery_info=None),
}


@pytest.mark.parametrize("app", [job_app, query_app], ids=lambda app: app.main)
@pytest.mark.parametrize("garbage", GARBAGE.values(), ids=GARBAGE.keys())
def test_what_is_no_message_is_dropped_and_the_next_one_is_delivered(app: Any, garbage: bytes) -> None:
    redis = Redis.from_url(load_config().redis_url)
    redis.delete("garbage")
    redis.lpush("garbage", garbage)
    redis.lpush("garbage", json.dumps(GOOD))
    before = CORRUPT_JOBS._value.get()
    received: list[Message] = []
    connection: Connection = app.connection_for_read()
    with connection, Consumer(connection, [Queue("garbage")], on_message=received.append):
        while not received:
            connection.drain_events(timeout=PATIENCE_SECONDS)
        received[0].ack()
    assert CORRUPT_JOBS._value.get() == before + 1
    assert received[0].headers == GOOD["headers"]


def test_the_indexer_lives_through_all_of_it(service: Service) -> None:
    before = processes(service)["indexer"]
    running = instance.load(service.var)
    assert running is not None
    with Redis.from_url(running.environment["REDIS_URL"]) as redis:
        redis.lpush("index", *GARBAGE.values())
    document = {"id": "after", "text": "after the garbage", "namespace": "corrupt-jobs", "wait": "indexed"}
    wait_until_indexed(service, document)
    assert processes(service)["indexer"] == before


def wait_until_indexed(service: Service, document: dict[str, str]) -> None:
    """Write it again until a request does not end before the indexer has come to it."""
    until = time.monotonic() + PATIENCE_SECONDS
    while True:
        answer = httpx.post(f"{service.url}/v1/upsert", json=document, timeout=60).json()
        if answer["results"][0]["state"] in ("indexed", "searchable"):
            return
        assert time.monotonic() < until, answer


SECRET = "a text of somebody"
STRANGE: dict[str, bytes] = {
    "an unknown task": _body([[SECRET], {}, {}]),
    "a text in the name of the task": _body([[], {}, {}], task=SECRET),
    "another argument": _body([[SECRET], {}, {}], task=INDEX_TASK),
    "too many arguments": _body([[SECRET] * 3, {SECRET: 1}, {}], task=INDEX_TASK),
    "arguments by name": _body([[], {SECRET: SECRET}, {}], task=job_task("sweep")),
    "a body that is an object": _body({SECRET: SECRET}, task=INDEX_TASK),
    "a body that is a text": _body(SECRET, task=INDEX_TASK),
    "a body that is no JSON": _body(None, task=INDEX_TASK, raw=SECRET.encode()),
    "links to other tasks": _body([[1], {}, {"callbacks": [SECRET], "chain": [{SECRET: 1}]}], task=INDEX_TASK),
    "another content type": _body([[SECRET], {}, {}], task=INDEX_TASK, content_type="application/x-python-serialize"),
    "an unheard-of content type": _body([[SECRET], {}, {}], task=INDEX_TASK, content_type=SECRET),
    "a time that is a text": _body([[SECRET], {}, {}], task=INDEX_TASK, eta=SECRET),
    "an end that is a text": _body([[SECRET], {}, {}], task=INDEX_TASK, expires=SECRET),
    "limits that are a text": _body([[SECRET], {}, {}], task=INDEX_TASK, timelimit=SECRET),
    "headers with a text": _body([[1], {}, {}], task=INDEX_TASK, argsrepr=SECRET, origin=SECRET, ignore_result=SECRET),
}


@pytest.mark.parametrize("queue", ["index", "embed.ctl.0"])
def test_no_line_of_a_worker_shows_what_a_message_holds(service: Service, queue: str) -> None:
    before = processes(service)
    running = instance.load(service.var)
    assert running is not None
    with Redis.from_url(running.environment["REDIS_URL"]) as redis:
        redis.lpush(queue, *STRANGE.values())
        until = time.monotonic() + PATIENCE_SECONDS
        while redis.llen(queue) and time.monotonic() < until:
            time.sleep(0.05)
        assert not redis.llen(queue)
    document = {
        "id": "after",
        "text": f"after strange messages to {queue}",
        "namespace": "corrupt-jobs",
        "wait": "indexed",
    }
    wait_until_indexed(service, document)
    assert processes(service) == before
    for path in (service.var / "logs").iterdir():
        assert SECRET not in path.read_text(errors="replace"), path.name
