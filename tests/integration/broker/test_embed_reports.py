"""What processes say of themselves over a real Redis, and what counts of it."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest
from redis import Redis

from embedding_project.broker.embed_reports import (
    QUEUED_KEY,
    SPEEDS_KEY,
    SenderReport,
    exchange,
    read_load,
    report_speeds,
    withdraw_speeds,
)
from embedding_project.broker.redis_clients import broker_client
from embedding_project.config import load_config
from embedding_project.contracts.messages import Lane


@pytest.fixture
def redis() -> Iterator[Redis]:
    client = broker_client(load_config().redis_url)
    client.delete(SPEEDS_KEY, QUEUED_KEY)
    yield client
    client.delete(SPEEDS_KEY, QUEUED_KEY)


def _report(tokens: float, refused_at: float = 0.0) -> SenderReport:
    return SenderReport(queued={Lane.INTERACTIVE: {"m@1": tokens}}, refused_at=refused_at)


def test_the_queued_tokens_of_all_others_are_added_up(redis: Redis) -> None:
    exchange(redis, "one", _report(10, refused_at=5.0))
    exchange(redis, "two", _report(20))
    seen = exchange(redis, "three", _report(40))
    assert seen.queued[Lane.INTERACTIVE] == {"m@1": 30.0}
    assert seen.refused_at == 5.0
    assert read_load(redis).queued_tokens(Lane.INTERACTIVE) == 70.0


def test_embedders_count_while_they_report_and_not_after_they_withdrew(redis: Redis) -> None:
    report_speeds(redis, "embedder-0", {"m@1": 100.0})
    report_speeds(redis, "embedder-1", {"m@1": 300.0})
    report_speeds(redis, "embedder-2", {})
    load = read_load(redis)
    assert (load.embedders, load.speeds) == (3, {"m@1": 200.0})
    withdraw_speeds(redis, "embedder-1")
    assert (read_load(redis).embedders, read_load(redis).speeds) == (2, {"m@1": 100.0})


def test_what_a_dead_process_said_counts_for_nothing_and_is_removed_in_the_end(redis: Redis) -> None:
    ago = time.time() - 10
    redis.hset(SPEEDS_KEY, "embedder-9", json.dumps({"at": ago, "speeds": {"m@1": 1.0}}))
    redis.hset(QUEUED_KEY, "dead", json.dumps({"at": ago, "queued": {"bulk": {"m@1": 1.0}}}))
    redis.hset(QUEUED_KEY, "long dead", json.dumps({"at": ago - 100, "queued": {}}))
    seen = exchange(redis, "one", _report(1))
    assert (seen.embedders, seen.queued_tokens(Lane.BULK)) == (0, 0.0)
    assert set(redis.hkeys(QUEUED_KEY)) == {b"dead", b"one"}


_REPORTS_AND_ENDS = """
import os
os.environ["DJANGO_SETTINGS_MODULE"] = "embedding_project.settings"
import django
django.setup()
from redis import Redis
from embedding_project.broker.embed_reports import QUEUED_KEY
from embedding_project.config import load_config
from embeddings_app.services.embedding.admission import embed_admission

embed_admission().note_refusal()
print(Redis.from_url(load_config().redis_url).hlen(QUEUED_KEY))
"""


def test_a_process_that_ends_takes_its_report_with_it(redis: Redis) -> None:
    done = subprocess.run([sys.executable, "-c", _REPORTS_AND_ENDS], capture_output=True, text=True, check=True)
    assert int(done.stdout) == 1, "it has reported"
    assert not redis.hkeys(QUEUED_KEY)


@pytest.mark.parametrize(
    "entry",
    [
        b"\xff",
        b"[]",
        b"{}",
        b'{"at": "now"}',
        b"[" * 100_000,
        b'{"at": 9e99, "speeds": {"m": 1}, "queued": {"bulk": {"m": 1}}}',
        b'{"at": NOW, "speeds": [1], "queued": [1], "refused_at": {}}',
        b'{"at": NOW, "speeds": {"m": "x"}, "queued": {"bulk": 3, "interactive": {"m": -5}}, "refused_at": NaN}',
        b'{"at": NOW, "speeds": {"m": Infinity}, "queued": {"interactive": {"m": NaN}}}',
    ],
)
def test_garbage_adds_nothing(redis: Redis, entry: bytes) -> None:
    entry = entry.replace(b"NOW", str(time.time()).encode())
    redis.hset(SPEEDS_KEY, "embedder-0", entry)
    redis.hset(QUEUED_KEY, "somebody", entry)
    load = read_load(redis)
    assert (load.speeds, load.refused_at) == ({}, 0.0)
    assert [load.queued_tokens(lane) for lane in Lane] == [0.0, 0.0]
