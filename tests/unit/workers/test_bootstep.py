"""The thread around the drain loop."""

import logging
import os

import pytest
from celery.worker import state
from redis import Redis

from embedding_project.redis_clients import broker_client
from tests.unit.workers.builders import RecordingEncoder, Setup
from workers.bootstep import DrainerThread
from workers.drainer import Drainer


class FaultyDrainer(Drainer):
    def run(self) -> None:
        raise LookupError(f"{self._name} secret".upper())


def drainer(url: str, kind: type[Drainer] = Drainer) -> Drainer:
    setup = Setup(url, RecordingEncoder())
    return kind(broker_client(url), setup.embedder, setup.outbox, "embedder-0")


def test_a_stop_ends_the_thread(valkey_url: str, redis: Redis) -> None:
    thread = DrainerThread(drainer(valkey_url))
    thread.start()
    thread.stop()
    assert not thread.is_alive()


def test_an_unforeseen_fault_ends_the_worker_and_keeps_its_message_out_of_the_log(
    valkey_url: str, redis: Redis, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(state, "should_stop", None)
    thread = DrainerThread(drainer(valkey_url, FaultyDrainer))
    with caplog.at_level(logging.CRITICAL):
        thread.start()
        thread.join(30)
    assert state.should_stop == os.EX_SOFTWARE
    assert "LookupError" in caplog.text
    assert "EMBEDDER-0" not in caplog.text
