"""The search drain over a real broker: what was sent is answered, by replicas that are ready."""

import base64
import json
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial

import msgpack
import numpy as np
import pytest
from redis import Redis

from embedding_project.broker.dispatch import search_messages
from embedding_project.broker.envelope import CONTENT_TYPE, CorruptMessage
from embedding_project.broker.inbox import REPLY_TTL_MS
from embedding_project.broker.redis_clients import broker_client
from embedding_project.config import load_config
from embedding_project.contracts.messages import BEHIND, SearchBatch, SearchReply, ShardQuery, decode_reply
from embedding_project.contracts.queues import SEARCH_TASK, SearchLane, search_queue
from index_nodes.drainer import SearchDrainer, decode_message
from index_nodes.metrics import CORRUPT_MESSAGES
from index_nodes.node import ShardNode
from index_nodes.replies import Addressed

VERSION, OTHER_VERSION = 1, 2


class Replica(ShardNode):
    """A node that notes what it is asked; the test says whether it is ready."""

    def __init__(self, *queues: str) -> None:
        self.ready_queues = queues
        self.answered: list[SearchBatch] = []
        self.faults: list[Exception] = []

    def search_here(self, lane: SearchLane = SearchLane.LIGHT) -> None:
        pass

    def queues(self, lane: SearchLane = SearchLane.LIGHT) -> tuple[str, ...]:
        heavy = lane is SearchLane.HEAVY
        return tuple(queue for queue in self.ready_queues if queue.endswith(f".{SearchLane.HEAVY}") == heavy)

    def answer(self, batch: SearchBatch, layout: int, lane: SearchLane = SearchLane.LIGHT) -> Addressed:
        if self.faults:
            raise self.faults.pop()
        self.answered.append(batch)
        reply = SearchReply(fanout_id=batch.fanout_id, shard=0, outcomes=(BEHIND,), search_ms=1.0)
        return Addressed(batch.inbox, reply)


@pytest.fixture
def layout() -> int:
    """A layout nobody else's queues are named after."""
    return uuid.uuid4().int % 10**9


@pytest.fixture
def redis() -> Redis:
    return broker_client(load_config().redis_url)


@contextmanager
def draining(
    redis: Redis, replica: Replica, threads: int = 1, lanes: Sequence[SearchLane] = (SearchLane.LIGHT,)
) -> Iterator[None]:
    drainers = [SearchDrainer(redis, replica, lane) for lane in lanes for _ in range(threads)]
    running = [threading.Thread(target=drainer.run) for drainer in drainers]
    for thread in running:
        thread.start()
    try:
        yield
    finally:
        for drainer in drainers:
            drainer.stop()
        for thread in running:
            thread.join(60)
            assert not thread.is_alive()


def _send(
    redis: Redis, layout: int, shards: Sequence[int], batch: SearchBatch, lane: SearchLane = SearchLane.LIGHT
) -> None:
    for message in search_messages(layout, shards, batch, lane):
        redis.lpush(message.queue, message.text)


def _batch(version_key: int = VERSION) -> SearchBatch:
    query = ShardQuery(version_key=version_key, namespace_key=2, top_k=3, ef_search=4, exact=False, filter="")
    return SearchBatch(
        fanout_id=uuid.uuid4().hex,
        inbox=f"reply.{uuid.uuid4().hex}",
        epoch="e",
        deadline=time.time() + 120,
        queries=(query,),
        vectors=np.ones((1, 4), np.float32),
    )


def _until(condition: Callable[[], object]) -> None:
    until = time.monotonic() + 60
    while not condition() and time.monotonic() < until:
        time.sleep(0.005)


class Meeting(Replica):
    """Answers only when so many threads are at an answer at the same time."""

    def __init__(self, threads: int, *queues: str) -> None:
        super().__init__(*queues)
        self._met = threading.Barrier(threads)

    def answer(self, batch: SearchBatch, layout: int, lane: SearchLane = SearchLane.LIGHT) -> Addressed:
        self._met.wait(60)
        return super().answer(batch, layout, lane)


def test_several_threads_answer_for_one_node_at_the_same_time(redis: Redis, layout: int) -> None:
    replica, sent = Meeting(3, search_queue(layout, VERSION, 0)), [_batch() for _ in range(6)]
    with draining(redis, replica, threads=3):
        for batch in sent:
            _send(redis, layout, (0,), batch)
        _until(lambda: len(replica.answered) == len(sent))
    assert sorted(batch.fanout_id for batch in replica.answered) == sorted(batch.fanout_id for batch in sent)
    assert [redis.llen(batch.inbox) for batch in sent] == [1] * len(sent)


class Held(Replica):
    """Holds heavy searches until the test lets them go."""

    def __init__(self, *queues: str) -> None:
        super().__init__(*queues)
        self.held, self.free = threading.Semaphore(0), threading.Event()

    def answer(self, batch: SearchBatch, layout: int, lane: SearchLane = SearchLane.LIGHT) -> Addressed:
        if lane is SearchLane.HEAVY:
            self.held.release()
            assert self.free.wait(60)
        return super().answer(batch, layout, lane)


def test_light_searches_are_answered_while_heavy_ones_run_and_wait(redis: Redis, layout: int) -> None:
    replica = Held(*(search_queue(layout, VERSION, 0, lane) for lane in SearchLane))
    light, heavy = [_batch() for _ in range(20)], [_batch() for _ in range(2)]
    with draining(redis, replica, lanes=tuple(SearchLane)):
        for batch in heavy:
            _send(redis, layout, (0,), batch, SearchLane.HEAVY)
        assert replica.held.acquire(timeout=60)
        for batch in light:
            _send(redis, layout, (0,), batch)
        _until(lambda: len(replica.answered) == len(light))
        assert [batch.fanout_id for batch in replica.answered] == [batch.fanout_id for batch in light]
        assert not replica.held.acquire(blocking=False), "one heavy search at a time"
        replica.free.set()
        _until(lambda: len(replica.answered) == len(light) + len(heavy))
    assert [redis.llen(batch.inbox) for batch in (*light, *heavy)] == [1] * 22


def test_a_group_is_answered_by_each_shard(redis: Redis, layout: int) -> None:
    replicas = [Replica(search_queue(layout, VERSION, shard)) for shard in (0, 1)]
    sent = _batch()
    with draining(redis, replicas[0]), draining(redis, replicas[1]):
        _send(redis, layout, (0, 1), sent)
        _until(lambda: all(replica.answered for replica in replicas))
    for replica in replicas:
        (got,) = replica.answered
        assert (got.fanout_id, got.queries) == (sent.fanout_id, sent.queries)
        assert np.array_equal(got.vectors, sent.vectors)
    replies = [decode_reply(data) for data in redis.lrange(sent.inbox, 0, -1) if isinstance(data, bytes)]
    assert [reply.fanout_id for reply in replies if isinstance(reply, SearchReply)] == [sent.fanout_id] * 2


def test_the_inbox_of_a_process_that_died_does_not_stay(redis: Redis, layout: int) -> None:
    replica = Replica(search_queue(layout, VERSION, 0))
    first, last = _batch(), _batch()
    with draining(redis, replica):
        for batch in (first, last):
            _send(redis, layout, (0,), batch)
            _until(partial(redis.exists, batch.inbox))
        _until(lambda: redis.pttl(last.inbox) > 0)
    assert 0 < redis.pttl(first.inbox) <= REPLY_TTL_MS
    assert 0 < redis.pttl(last.inbox) <= REPLY_TTL_MS


def test_a_replica_that_is_not_ready_leaves_the_message_to_the_others(redis: Redis, layout: int) -> None:
    behind, ready = Replica(), Replica()
    with draining(redis, behind), draining(redis, ready):
        _send(redis, layout, (0,), _batch())
        time.sleep(0.1)
        assert redis.llen(search_queue(layout, VERSION, 0)) == 1
        ready.ready_queues = (search_queue(layout, VERSION, 0),)
        _until(lambda: ready.answered)
    assert len(ready.answered) == 1
    assert behind.answered == []


def test_a_busy_version_does_not_starve_another(redis: Redis, layout: int) -> None:
    replica = Replica(search_queue(layout, VERSION, 0), search_queue(layout, OTHER_VERSION, 0))
    for version_key in (VERSION, VERSION, VERSION, VERSION, OTHER_VERSION):
        _send(redis, layout, (0,), _batch(version_key))
    with draining(redis, replica):
        _until(lambda: len(replica.answered) == 5)
    order = [batch.queries[0].version_key for batch in replica.answered]
    assert order.index(OTHER_VERSION) < 2


def _celery_message(argument: object, task: str = SEARCH_TASK, kind: str = CONTENT_TYPE) -> bytes:
    body = base64.b64encode(msgpack.packb([[argument], {}, {}])).decode()
    return json.dumps({"body": body, "headers": {"task": task}, "content-type": kind}).encode()


def _search_message(changes: dict[int, object]) -> bytes:
    fields = msgpack.unpackb(_batch().to_wire())
    for place, value in changes.items():
        fields[place] = value
    return _celery_message(msgpack.packb(fields))


QUERY = [VERSION, 2, 3, 4, False, ""]
GARBAGE = [
    b"",
    b"not json",
    b"\xff\x00\xfe",
    b"{}",
    b"[]",
    b"null",
    b"1e999",
    b"[" * 100_000,
    b'{"headers": {"task": "other"}}',
    json.dumps({"body": 5, "headers": {"task": SEARCH_TASK}, "content-type": CONTENT_TYPE}).encode(),
    json.dumps({"body": "%%%", "headers": {"task": SEARCH_TASK}, "content-type": CONTENT_TYPE}).encode(),
    _celery_message(b"x", task="other"),
    _celery_message(b"x", kind="application/x-python-serialize"),
    _celery_message("text"),
    _celery_message(msgpack.packb(list(range(9)))),
    _celery_message(b"\xc1"),
    _search_message({1: None}),
    _search_message({3: "soon"}),
    _search_message({3: float("nan")}),
    _search_message({3: float("inf")}),
    _search_message({4: [[1, 2]]}),
    _search_message({4: [[*QUERY[:2], "3", *QUERY[3:]]]}),
    _search_message({4: [[*QUERY[:2], -3, *QUERY[3:]]]}),
    _search_message({4: [[*QUERY[:2], 2**40, *QUERY[3:]]]}),
    _search_message({4: [[*QUERY[:3], 2**40, *QUERY[4:]]]}),
    _search_message({4: []}),
    _search_message({5: 0}),
    _search_message({6: b"123"}),
    _search_message({7: [["x"]]}),
    _search_message({7: 5}),
    _search_message({7: [[{}, {}]]}),
]


def test_garbage_is_dropped_and_counted_and_the_next_message_answered(redis: Redis, layout: int) -> None:
    queue = search_queue(layout, VERSION, 0)
    replica = Replica(queue)
    corrupt = CORRUPT_MESSAGES._value.get()
    redis.lpush(queue, *GARBAGE)
    _send(redis, layout, (0,), _batch())
    with draining(redis, replica):
        _until(lambda: replica.answered)
    assert len(replica.answered) == 1
    assert redis.llen(queue) == 0
    assert CORRUPT_MESSAGES._value.get() == corrupt + len(GARBAGE)


def test_a_message_that_cannot_be_answered_does_not_end_the_drain(
    redis: Redis, layout: int, caplog: pytest.LogCaptureFixture
) -> None:
    queue = search_queue(layout, VERSION, 0)
    replica = Replica(queue)
    replica.faults = [TypeError("of a user")]
    _send(redis, layout, (0,), _batch())
    _send(redis, layout, (0,), _batch())
    with draining(redis, replica):
        _until(lambda: replica.answered)
    assert len(replica.answered) == 1
    assert "of a user" not in caplog.text


@pytest.mark.parametrize("body", [(), (1,), (b"x",), (msgpack.packb([1, 2]),)])
def test_what_is_no_search_is_corrupt(body: tuple[object, ...], redis: Redis, layout: int) -> None:
    queue = search_queue(layout, VERSION, 0)
    _send(redis, layout, (0,), _batch())
    raw = redis.rpop(queue)
    assert isinstance(raw, bytes)
    assert isinstance(decode_message(raw), SearchBatch)
    damaged = raw.replace(b'"index_nodes.search_shard"', b'"index_nodes.search_others"')
    with pytest.raises(CorruptMessage):
        decode_message(damaged)
    with pytest.raises(CorruptMessage):
        decode_message(msgpack.packb(body))
