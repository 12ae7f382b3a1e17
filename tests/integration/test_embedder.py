"""A real embedder process: batches go in through the dispatcher, replies come out of an inbox."""

import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import Event

import numpy as np
import pytest
from redis import Redis
from redis.exceptions import RedisError

from embedding_project.broker.dispatch import send_embed
from embedding_project.broker.inbox import ReplyInbox
from embedding_project.broker.liveness import alive
from embedding_project.broker.redis_clients import broker_client
from embedding_project.celery import make_query_app
from embedding_project.config import PROJECT_ROOT, load_config
from embedding_project.contracts.keys import InputType, cache_key
from embedding_project.contracts.messages import EmbedBatch, EmbedItem, EmbedReply, Lane
from embedding_project.contracts.model_spec import PACKAGED_MODEL, ModelSpec
from embedding_project.contracts.queues import EMBED_TASK
from embedding_project.contracts.vectors import EmbeddedText, unit_length
from embedding_project.vector_cache import VectorCache
from supervisor.binaries import choose_redis
from supervisor.ports import pick_free_port

MINILM = replace(PACKAGED_MODEL, version_key=1, version=1)
HASHING = replace(MINILM, version_key=2, model_id="hashes", artifact="hashing:")
PATIENCE_SECONDS = 120.0
"""Other work may share the cores; nothing here measures speed."""
QUIET = ("-l", "WARNING", "--without-gossip", "--without-mingle", "--without-heartbeat")
WORKER = ("-I", "workers.tasks", "-P", "threads", "-c", "1", "-Q", "embed.ctl.0", "-n", "embedder-0@%h", *QUIET)


def eventually(holds: Callable[[], bool]) -> None:
    give_up = time.monotonic() + PATIENCE_SECONDS
    while not holds():
        assert time.monotonic() < give_up, "it did not happen in time"
        time.sleep(0.05)


class Broker:
    """A server that can be taken away and brought back on the same port."""

    def __init__(self, folder: Path) -> None:
        self._port = pick_free_port()
        self._folder = folder
        self.url = f"redis://127.0.0.1:{self._port}/0"
        self.cache_url = f"redis://127.0.0.1:{self._port}/1"
        self.redis: Redis = broker_client(self.url)

    def start(self) -> None:
        options = ("--port", str(self._port), "--bind", "127.0.0.1", "--save", "", "--dir", str(self._folder))
        self._process = subprocess.Popen([str(choose_redis().path), *options], stdout=subprocess.DEVNULL)
        eventually(self._answers)

    def _answers(self) -> bool:
        try:
            return bool(self.redis.ping())
        except RedisError:
            return False

    def stop(self) -> None:
        self._process.kill()
        self._process.wait()


@dataclass
class EmbedderProcess:
    broker: Broker
    log: Path
    process: subprocess.Popen[bytes] = field(init=False)

    def start(self) -> None:
        settings = {
            "DATABASE_URL": "postgresql://nowhere",
            "REDIS_URL": self.broker.url,
            "CACHE_URL": self.broker.cache_url,
            "SECRET_KEY": "only-for-tests-" * 3,
            "VAR_DIR": str(self.log.parent),
            "GOMP_SPINCOUNT": "20000",
        }
        # An embedder knows no Django; Celery would load its settings if it found their name.
        env = {name: value for name, value in os.environ.items() if name != "DJANGO_SETTINGS_MODULE"} | settings
        command = [sys.executable, "-m", "celery", "-A", "embedding_project.celery:query_app", "worker", *WORKER]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(command, cwd=PROJECT_ROOT, env=env, stdout=log, stderr=log)
        eventually(self.is_ready)

    def is_ready(self) -> bool:
        assert self.process.poll() is None, self.log.read_text()
        return "embedder-0" in alive(self.broker.redis)

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(PATIENCE_SECONDS)


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    # For the whole session: an inbox listens for as long as its process lives.
    started = Broker(tmp_path_factory.mktemp("broker"))
    try:
        started.start()
        yield started
    finally:
        started.stop()


@pytest.fixture(scope="module")
def embedder(broker: Broker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbedderProcess]:
    process = EmbedderProcess(broker, tmp_path_factory.mktemp("embedder") / "embedder.log")
    try:
        process.start()
        yield process
    finally:
        process.process.kill()
        process.process.wait()


class Client:
    def __init__(self, broker: Broker) -> None:
        self.inbox = ReplyInbox(broker_client(broker.url, timeout_seconds=3))
        self.redis = broker_client(broker.url)
        self.app = make_query_app(replace(load_config(), redis_url=broker.url))

    def batch(self, texts: Sequence[str], model: ModelSpec = MINILM, lane: Lane = Lane.INTERACTIVE) -> EmbedBatch:
        return EmbedBatch(
            batch_id=uuid.uuid4().hex,
            inbox=self.inbox.name,
            lane=lane,
            deadline=time.time() + PATIENCE_SECONDS,
            use_cache=True,
            model=model,
            items=tuple(EmbedItem(cache_key=cache_key(model, InputType.QUERY, text), text=text) for text in texts),
        )

    def send(self, batch: EmbedBatch) -> Callable[[], EmbedReply]:
        """Send `batch`; the result waits for the reply."""
        arrived, replies = Event(), list[EmbedReply]()

        def on_reply(reply: EmbedReply) -> None:
            replies.append(reply)
            arrived.set()

        def wait() -> EmbedReply:
            assert arrived.wait(PATIENCE_SECONDS), "no reply"
            return replies[0]

        self.inbox.expect_embed(batch.batch_id, on_reply)
        send_embed(batch, self.redis)
        return wait


@pytest.fixture(scope="module")
def listening(broker: Broker) -> Client:
    return Client(broker)


@pytest.fixture
def client(embedder: EmbedderProcess, listening: Client) -> Client:
    return listening


def embedded(outcome: bytes | str) -> EmbeddedText:
    assert isinstance(outcome, bytes), outcome
    found = EmbeddedText.from_frame(outcome, MINILM.dimension)
    assert found is not None
    return found


def test_texts_come_back_as_vectors_and_stand_in_the_cache(embedder: EmbedderProcess, client: Client) -> None:
    texts = ["a cat sits on the mat", "a kitten rests on a rug", "quarterly financial report"]
    cache = VectorCache(broker_client(embedder.broker.cache_url), 60)
    found: list[EmbeddedText] = []

    def cached() -> list[EmbeddedText | None]:
        """An embedder waits for the cache for a quarter of a second: on a busy machine it may not get there at once."""
        batch = client.batch(texts)
        found[:] = [embedded(outcome) for outcome in client.send(batch)().outcomes]
        return cache.get_many([item.cache_key for item in batch.items], MINILM.dimension)

    eventually(lambda: None not in cached())
    cat, kitten, report = unit_length(np.stack([each.vector for each in found]))
    assert cat @ kitten > 0.4 > cat @ report
    assert [each.tokens for each in found] == [8, 8, 5]
    assert [each and each.vector.tolist() for each in cached()] == [each.vector.tolist() for each in found]


def test_many_batches_of_both_lanes_are_all_answered_in_item_order(client: Client) -> None:
    lanes = list(Lane) * 10
    batches = [
        client.batch([f"{number} {item}" for item in range(64)], HASHING, lane) for number, lane in enumerate(lanes)
    ]
    waits = [client.send(batch) for batch in batches]
    vectors = {}
    for batch, wait in zip(batches, waits, strict=True):
        for item, outcome in zip(batch.items, wait().outcomes, strict=True):
            vectors[item.text] = embedded(outcome).vector.tobytes()
    assert len(set(vectors.values())) == 20 * 64


def test_a_model_that_cannot_be_loaded_costs_its_own_items_only(client: Client) -> None:
    missing = replace(MINILM, version_key=3, artifact="no/such/folder")
    waits = client.send(client.batch(["a", "b"], missing)), client.send(client.batch(["a"]))
    assert waits[0]().outcomes == ("model_unavailable", "model_unavailable")
    assert embedded(waits[1]().outcomes[0]).tokens == 3


def test_a_corrupt_message_is_dropped_and_its_content_not_logged(embedder: EmbedderProcess, client: Client) -> None:
    embedder.broker.redis.lpush("embed.interactive", b'{"body": "secret text"}')
    assert embedded(client.send(client.batch(["after the corrupt one"]))().outcomes[0]).tokens
    eventually(lambda: "dropped a message" in embedder.log.read_text())
    assert "secret" not in embedder.log.read_text()


def test_the_task_itself_does_the_same_work(client: Client) -> None:
    batch = client.batch(["through the task"])
    arrived, replies = Event(), list[EmbedReply]()

    def take(reply: EmbedReply) -> None:
        replies.append(reply)
        arrived.set()

    client.inbox.expect_embed(batch.batch_id, take)
    client.app.send_task(EMBED_TASK, args=(batch.to_wire(),), queue="embed.ctl.0")
    assert arrived.wait(PATIENCE_SECONDS)
    again = client.send(client.batch(["through the task"]))()
    assert np.allclose(embedded(replies[0].outcomes[0]).vector, embedded(again.outcomes[0]).vector, atol=1e-5)


def test_the_embedder_outlives_its_broker(embedder: EmbedderProcess, client: Client) -> None:
    embedder.broker.stop()
    time.sleep(1)
    embedder.broker.start()
    eventually(embedder.is_ready)
    assert embedded(client.send(client.batch(["after the outage"]))().outcomes[0]).tokens


def test_a_stop_loses_no_batch(embedder: EmbedderProcess, client: Client) -> None:
    texts = ["the quick brown fox jumps over the lazy dog " * 20] * 2
    batches = [
        client.batch([f"{number} {item} {text}" for item in range(4) for text in texts], lane=Lane.BULK)
        for number in range(4)
    ]
    waits = [client.send(batch) for batch in batches]
    time.sleep(0.2)
    assert embedder.stop() == 0
    embedder.start()
    assert all(len(wait().outcomes) == 8 for wait in waits)
