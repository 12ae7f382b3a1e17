"""Clocks of machines that differ, against the clock of a real broker."""

import threading
import time

import pytest
from redis import Redis

from embedding_project.broker.clocks import compare_clocks
from embedding_project.broker.redis_clients import broker_client


def said_here(caplog: pytest.LogCaptureFixture) -> list[str]:
    """By this thread: others of the process may log too."""
    return [record.message for record in caplog.records if record.thread == threading.get_ident()]


@pytest.mark.parametrize(("shift", "direction"), [(100.0, "ahead of"), (-100.0, "behind")])
def test_a_clock_that_differs_is_told(
    redis: Redis, caplog: pytest.LogCaptureFixture, shift: float, direction: str
) -> None:
    compare_clocks(redis, lambda: time.time() + shift)
    (said,) = said_here(caplog)
    assert said.endswith(f"s {direction} the broker's")


def test_a_clock_that_agrees_is_not(redis: Redis, caplog: pytest.LogCaptureFixture) -> None:
    compare_clocks(redis)
    assert said_here(caplog) == []


def test_an_answer_that_took_long_says_nothing_of_the_clock(redis: Redis, caplog: pytest.LogCaptureFixture) -> None:
    asked_and_answered = iter([time.time() - 50, time.time() + 50])
    compare_clocks(redis, lambda: next(asked_and_answered))
    assert said_here(caplog) == []


def test_a_broker_that_is_away_says_nothing_of_the_clock(caplog: pytest.LogCaptureFixture) -> None:
    compare_clocks(broker_client("redis://127.0.0.1:1/0"))
    assert said_here(caplog) == []
