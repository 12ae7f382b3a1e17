"""The drain loop over a real broker, in a thread of this process."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import count
from typing import cast

import msgpack
import pytest
from redis import Redis

from embedding_project.broker.liveness import alive
from embedding_project.celery import query_app
from embedding_project.contracts.messages import EmbedBatch, Lane
from embedding_project.contracts.queues import embed_queue
from embedding_project.contracts.vectors import Vector
from tests.unit.workers.builders import DIMENSION, HASHING, HeavyEncoder, RecordingEncoder, Setup, batch
from workers.drainer import FINISH_SECONDS, Drainer
from workers.encoders.base import DeviceLost, ModelError, Tokens
from workers.encoders.hashing import HashingEncoder
from workers.envelope import decode_message
from workers.tickets import MODEL_UNAVAILABLE


def publish(url: str, sent: EmbedBatch) -> None:
    with query_app.connection_for_write(url) as connection:
        query_app.send_task(
            "workers.embed_texts", args=(sent.to_wire(),), queue=embed_queue(sent.lane), connection=connection
        )


@contextmanager
def running(setup: Setup, finish_seconds: float = FINISH_SECONDS) -> Iterator[Drainer]:
    drainer = Drainer(setup.redis, setup.embedder, setup.outbox, "embedder-7", setup.cores.append, finish_seconds)
    thread = threading.Thread(target=drainer.run)
    thread.start()
    try:
        yield drainer
    finally:
        drainer.stop()
        thread.join(60)
        assert not thread.is_alive()


def eventually(holds: Callable[[], bool], seconds: float = 60.0) -> None:
    give_up = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < give_up
        time.sleep(0.01)


def test_published_batches_are_answered(valkey_url: str, redis: Redis) -> None:
    sent = [batch("a", "b"), batch("c", lane=Lane.BULK)]
    with running(Setup(valkey_url, RecordingEncoder())):
        for each in sent:
            publish(valkey_url, each)
        eventually(lambda: redis.llen("reply.test") == 2)
        assert "embedder-7" in alive(redis)


def test_a_corrupt_message_is_dropped_without_a_word_of_it_in_the_log(
    valkey_url: str, redis: Redis, caplog: pytest.LogCaptureFixture
) -> None:
    redis.lpush("embed.interactive", b'{"secret text": 1}')
    publish(valkey_url, batch("a"))
    with running(Setup(valkey_url, RecordingEncoder())):
        eventually(lambda: redis.llen("reply.test") == 1)
    assert "dropped a message" in caplog.text
    assert "secret" not in caplog.text


@pytest.mark.parametrize("new", ["member of an item", "type of models", "field at the end"])
def test_what_a_newer_service_asks_is_refused_and_not_guessed(valkey_url: str, redis: Redis, new: str) -> None:
    wire = msgpack.unpackb(batch("query", "query").to_wire())
    if new == "member of an item":
        wire[7] = [[*item, "", "what this code would leave out"] for item in wire[7]]
    elif new == "type of models":
        wire[6]["type"] = "rankers-of-lists"
    else:
        wire.append("a field")
    with query_app.connection_for_write(valkey_url) as connection:
        query_app.send_task(
            "workers.embed_texts", args=(msgpack.packb(wire),), queue="embed.interactive", connection=connection
        )
    setup = Setup(valkey_url, RecordingEncoder())
    with running(setup):
        eventually(lambda: redis.llen("reply.test") == 1)
    (reply,) = setup.replies().values()
    assert (reply.batch_id, reply.outcomes) == (wire[0], (MODEL_UNAVAILABLE, MODEL_UNAVAILABLE))


class SlowEncoder(HashingEncoder):
    def __init__(self) -> None:
        super().__init__(DIMENSION, HASHING.max_tokens)
        self.entered = threading.Event()
        self.release = threading.Event()

    def encode(self, batch: Sequence[Tokens]) -> Vector:
        self.entered.set()
        self.release.wait(60)
        return super().encode(batch)


class WaitingEncoder(SlowEncoder):
    """May wait for long, as one of an endpoint."""

    longest_step_seconds = 60.0


class OneAtATime(HashingEncoder):
    """Takes each text alone, and its time to refuse several, as an endpoint does."""

    longest_step_seconds = 0.5

    def __init__(self, is_stuck: Callable[[], bool]) -> None:
        super().__init__(DIMENSION, HASHING.max_tokens)
        self.stuck: list[bool] = []
        self._is_stuck = is_stuck

    def encode(self, batch: Sequence[Tokens]) -> Vector:
        self.stuck.append(self._is_stuck())
        time.sleep(0.2)
        if len(batch) > 1:
            raise ModelError("one text at a time")
        return super().encode(batch)


class TwoAtOnce(HashingEncoder):
    """Computes nothing before two threads compute."""

    def __init__(self) -> None:
        super().__init__(DIMENSION, HASHING.max_tokens)
        self.meeting = threading.Barrier(2, timeout=60)

    def encode(self, batch: Sequence[Tokens]) -> Vector:
        self.meeting.wait()
        return super().encode(batch)


def test_threads_compute_at_the_same_time_and_a_text_that_is_alone_gets_all_cores(
    valkey_url: str, redis: Redis
) -> None:
    setup = Setup(valkey_url, TwoAtOnce(), threads=2)
    with running(setup):
        publish(valkey_url, batch(*[f"{number} " + "word " * 15 for number in range(16)]))
        eventually(lambda: redis.llen("reply.test") == 1)
        assert set(setup.cores) == {1}
    setup = Setup(valkey_url, HeavyEncoder(), threads=2)
    with running(setup):
        publish(valkey_url, batch("alone"))
        eventually(lambda: redis.llen("reply.test") == 2)
        assert setup.cores == [2]


def test_an_error_of_any_computing_thread_ends_the_loop(valkey_url: str) -> None:
    class Broken(HashingEncoder):
        def encode(self, batch: Sequence[Tokens]) -> Vector:
            raise DeviceLost("gone")

    setup = Setup(valkey_url, Broken(DIMENSION, HASHING.max_tokens), threads=2)
    publish(valkey_url, batch("a"))
    drainer = Drainer(setup.redis, setup.embedder, setup.outbox, "embedder-7", setup.cores.append, 0.0)
    with pytest.raises(DeviceLost):
        drainer.run()


def test_a_stop_answers_what_is_done_and_puts_the_rest_back(valkey_url: str, redis: Redis) -> None:
    encoder = SlowEncoder()
    sent = [batch(*[f"{name} {number}" for number in range(64)], lane=Lane.BULK) for name in "abc"]
    for each in sent:
        publish(valkey_url, each)
    setup = Setup(valkey_url, encoder)
    with running(setup, finish_seconds=0) as drainer:
        assert encoder.entered.wait(60)
        drainer.stop()
        encoder.release.set()
    assert [reply.batch_id for reply in setup.replies().values()] == [sent[0].batch_id]
    left = [decode_message(raw) for raw in cast(list[bytes], redis.lrange("embed.bulk", 0, -1))]
    assert left == [sent[2], sent[1]]


def test_the_loop_outlives_a_broker_that_refuses(valkey_url: str, redis: Redis) -> None:
    setup = Setup(valkey_url, RecordingEncoder())
    redis.set("embed.interactive", "not a list")
    with running(setup):
        time.sleep(0.3)
        redis.delete("embed.interactive")
        publish(valkey_url, batch("a"))
        eventually(lambda: redis.llen("reply.test") == 1)


def fell_silent(redis: Redis) -> bool:
    """Whether the embedder reports nothing for as long as it takes it to report several times."""
    reported = redis.hget("alive", "embedder-7")
    time.sleep(1.5)
    return redis.hget("alive", "embedder-7") == reported


def test_a_step_that_never_ends_stops_the_heartbeat_and_the_taking(valkey_url: str, redis: Redis) -> None:
    encoder = SlowEncoder()
    setup = Setup(valkey_url, encoder)
    with running(setup, finish_seconds=0):
        publish(valkey_url, batch("stuck"))
        assert encoder.entered.wait(60)
        # So long a step may take.
        time.sleep(2.5)
        eventually(lambda: fell_silent(redis))
        publish(valkey_url, batch("left for others"))
        assert fell_silent(redis)
        assert redis.llen("embed.interactive") == 1
        encoder.release.set()
        eventually(lambda: redis.llen("reply.test") == 2)


def test_a_step_that_waits_within_its_time_stops_the_taking_alone(valkey_url: str, redis: Redis) -> None:
    encoder = WaitingEncoder()
    with running(Setup(valkey_url, encoder), finish_seconds=0):
        publish(valkey_url, batch("waits"))
        assert encoder.entered.wait(60)
        # From then on it takes nothing.
        time.sleep(2.5)
        publish(valkey_url, batch("left for others"))
        for _ in range(2):
            reported = redis.hget("alive", "embedder-7")
            eventually(lambda before=reported: redis.hget("alive", "embedder-7") != before)  # type: ignore[misc]
        assert redis.llen("embed.interactive") == 1
        encoder.release.set()
        eventually(lambda: redis.llen("reply.test") == 2)


def test_a_step_that_is_halved_again_and_again_is_not_stuck(valkey_url: str, redis: Redis) -> None:
    drainers: list[Drainer] = []
    encoder = OneAtATime(lambda: drainers[0]._compute.stuck)
    with running(Setup(valkey_url, encoder)) as drainer:
        drainers.append(drainer)
        publish(valkey_url, batch("one", "two", "three", "four", lane=Lane.BULK))
        eventually(lambda: redis.llen("reply.test") == 1)
    assert encoder.stuck == [False] * 7


def test_beside_a_step_that_waits_a_free_thread_computes_what_is_taken(valkey_url: str, redis: Redis) -> None:
    encoder = WaitingEncoder()
    with running(Setup(valkey_url, encoder, threads=2), finish_seconds=0):
        publish(valkey_url, batch("waits"))
        assert encoder.entered.wait(60)
        time.sleep(2.5)
        encoder.entered.clear()
        publish(valkey_url, batch("computed beside"))
        assert encoder.entered.wait(60)
        encoder.release.set()
        eventually(lambda: redis.llen("reply.test") == 2)


def test_a_stuck_step_that_nobody_waits_for_any_more_has_the_processor_to_itself(valkey_url: str) -> None:
    encoder, turns = SlowEncoder(), count()

    def clock() -> float:
        next(turns)
        return time.time()

    setup = Setup(valkey_url, encoder, clock=clock)
    with running(setup, finish_seconds=0):
        publish(valkey_url, batch("stuck", deadline=time.time() + 5.0))
        assert encoder.entered.wait(60)
        time.sleep(2.5)
        eventually(lambda: setup.embedder.idle)
        before = next(turns)
        time.sleep(1.0)
        assert next(turns) - before < 500
        encoder.release.set()
