"""Messages from the template against those of Celery itself: the same fields, and a stock worker runs both."""

import base64
import json
import threading
import time
import uuid
from datetime import datetime
from itertools import chain
from typing import Any

import msgpack
import numpy as np
import pytest
from celery import Celery, group
from celery.contrib.testing.worker import start_worker
from redis import Redis

from embedding_project.broker.dispatch import search_messages, send_embed
from embedding_project.broker.task_messages import task_template
from embedding_project.celery import make_query_app, query_app
from embedding_project.config import load_config
from embedding_project.contracts.messages import EmbedBatch, Lane, SearchBatch, ShardQuery
from embedding_project.contracts.queues import EMBED_TASK, SEARCH_TASK, SearchLane, embed_queue, search_queue
from tests.unit.workers.models import HASHING

QUERY = ShardQuery(version_key=1, namespace_key=2, top_k=3, ef_search=4, exact=False, filter="")
OWN = {"id", "root_id", "group", "correlation_id", "delivery_tag"}
"""Ids: every message has its own."""


@pytest.fixture
def layout() -> int:
    """A layout nobody else's queues are named after."""
    return uuid.uuid4().int % 10**9


def _batch() -> SearchBatch:
    return SearchBatch(
        fanout_id=uuid.uuid4().hex,
        inbox="reply.x",
        epoch="e",
        deadline=time.time() + 30,
        queries=(QUERY,),
        vectors=np.ones((1, 4), np.float32),
    )


def _by_celery(task: str, queues: list[str], argument: bytes, deadline: float) -> None:
    options = {"expires": datetime.fromtimestamp(deadline).astimezone(), "argsrepr": "-", "kwargsrepr": "-"}
    group(
        query_app.signature(task, args=(argument,), options={"queue": queue, **options}) for queue in queues
    ).apply_async()


def _by_template(redis: Redis, layout: int, batch: SearchBatch, lane: SearchLane = SearchLane.LIGHT) -> None:
    for message in search_messages(layout, (0, 1), batch, lane):
        redis.lpush(message.queue, message.text)


def _taken(redis: Redis, queue: str) -> dict[str, Any]:
    raw = redis.rpop(queue)
    assert isinstance(raw, bytes)
    message: dict[str, Any] = json.loads(raw)
    return message


def _comparable(message: dict[str, Any]) -> dict[str, Any]:
    """Ids without their values; a body by what is in it; times as such."""
    headers, properties = dict(message["headers"]), dict(message["properties"])
    for fields in (headers, properties):
        for name in OWN & fields.keys():
            fields[name] = str(uuid.UUID(fields[name]))[:0]
    body = msgpack.unpackb(base64.b64decode(message["body"]))
    headers["expires"] = datetime.fromisoformat(headers["expires"]).timestamp()
    # Milliseconds that are left; Celery counts them a moment earlier or later.
    properties["expiration"] = pytest.approx(int(properties["expiration"]), abs=2_000)
    return {**message, "body": body, "headers": headers, "properties": properties}


def test_a_fan_out_has_the_fields_of_the_group_that_celery_publishes(redis: Redis, layout: int) -> None:
    batch = _batch()
    queues = [search_queue(layout, QUERY.version_key, shard) for shard in (0, 1)]
    _by_celery(SEARCH_TASK, queues, batch.to_wire(), batch.deadline)
    expected = [_taken(redis, queue) for queue in queues]
    _by_template(redis, layout, batch)
    made = [_taken(redis, queue) for queue in queues]
    for ours, theirs in zip(made, expected, strict=True):
        assert _comparable(ours) == _comparable(theirs)
        assert ours["headers"]["id"] == ours["headers"]["root_id"] == ours["properties"]["correlation_id"]
    assert len({message["headers"]["group"] for message in made}) == 1
    assert len({message["headers"]["id"] for message in made}) == 2


def test_an_embed_batch_has_the_fields_of_a_group_of_one(redis: Redis) -> None:
    batch = EmbedBatch(
        batch_id="b",
        inbox="reply.x",
        lane=Lane.BULK,
        deadline=time.time() + 30,
        use_cache=False,
        model=HASHING,
        items=(),
    )
    queue = embed_queue(batch.lane)
    redis.delete(queue)
    _by_celery(EMBED_TASK, [queue], batch.to_wire(), batch.deadline)
    expected = _taken(redis, queue)
    send_embed(batch)
    assert _comparable(_taken(redis, queue)) == _comparable(expected)


def test_a_percent_sign_in_a_queue_is_kept() -> None:
    (message,) = task_template(query_app, SEARCH_TASK).messages(["100%(task_id)s"], b"%s", time.time() + 1)
    assert json.loads(message.text)["properties"]["delivery_info"]["routing_key"] == "100%(task_id)s"


def _worker_app(received: list[tuple[bytes, str]]) -> Celery:
    """A stock worker's, with a task of the name that nodes answer to."""
    app = make_query_app(load_config())
    app.conf.broker_transport = None

    def search(task: Any, payload: bytes) -> None:
        received.append((payload, task.request.group))

    app.task(name=SEARCH_TASK, bind=True)(search)
    return app


def test_a_stock_worker_runs_both_kinds_of_both_lanes(redis: Redis, layout: int) -> None:
    received: list[tuple[bytes, str]] = []
    app = _worker_app(received)
    batch = _batch()
    of_lane = {lane: [search_queue(layout, QUERY.version_key, shard, lane) for shard in (0, 1)] for lane in SearchLane}
    queues = [*chain(*of_lane.values())]
    with start_worker(app, pool="solo", queues=queues, perform_ping_check=False, shutdown_timeout=20):
        for lane in SearchLane:
            _by_celery(SEARCH_TASK, of_lane[lane], batch.to_wire(), batch.deadline)
            _by_template(redis, layout, batch, lane)
        until = time.monotonic() + 60
        while len(received) < 8 and time.monotonic() < until:
            time.sleep(0.01)
    assert [payload for payload, _ in received] == [batch.to_wire()] * 8
    assert sorted(map(len, _groups(received))) == [2, 2, 2, 2]


def _groups(received: list[tuple[bytes, str]]) -> list[list[bytes]]:
    return [[payload for payload, name in received if name == group_id] for group_id in {name for _, name in received}]


def test_the_example_of_celery_is_made_without_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    task_template.__wrapped__(query_app, SEARCH_TASK)
    # Other threads of the process may log too.
    assert [record for record in caplog.records if record.thread == threading.get_ident()] == []
