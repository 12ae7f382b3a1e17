"""Clients of a Redis that is silent: it takes connections and answers nothing, as a frozen one does."""

import socket
import time
from collections.abc import Callable, Iterator

import pytest
from redis import Redis
from redis.exceptions import RedisError

from embedding_project.broker.redis_clients import LEAST_SILENCE_SECONDS, broker_client, silent_until


@pytest.fixture
def silent() -> Iterator[Callable[[float], Redis]]:
    """A client of it that waits so many seconds."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"redis://127.0.0.1:{server.getsockname()[1]}/0"
        yield lambda seconds: broker_client(url, timeout_seconds=seconds)


def seconds_until_it_fails(client: Redis) -> float:
    began = time.monotonic()
    with pytest.raises(RedisError):
        client.ping()
    return time.monotonic() - began


def test_a_silent_server_is_given_up_when_the_time_of_its_caller_is_over(silent: Callable[[float], Redis]) -> None:
    with silent_until(time.monotonic() + 0.5):
        assert 0.45 < seconds_until_it_fails(silent(10.0)) < 5.0


def test_a_moment_is_left_to_it_when_the_time_is_over_already(silent: Callable[[float], Redis]) -> None:
    with silent_until(time.monotonic() - 1.0):
        assert LEAST_SILENCE_SECONDS <= seconds_until_it_fails(silent(10.0)) < 5.0


def test_no_client_waits_longer_than_its_own_time(silent: Callable[[float], Redis]) -> None:
    with silent_until(time.monotonic() + 60.0):
        assert 0.45 < seconds_until_it_fails(silent(0.5)) < 5.0


def test_the_innermost_block_counts_and_ends_with_itself(silent: Callable[[float], Redis]) -> None:
    with silent_until(time.monotonic()):
        with silent_until(time.monotonic() + 60.0):
            assert seconds_until_it_fails(silent(0.5)) > 0.45
        assert seconds_until_it_fails(silent(10.0)) < 5.0
    assert seconds_until_it_fails(silent(0.5)) > 0.45
