"""Clients of a Redis that is silent: it takes connections and answers nothing, as a frozen one does."""

import socket
import threading
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


def seconds_until_it_fails(client: Redis, value: bytes = b"") -> float:
    began = time.monotonic()
    with pytest.raises(RedisError):
        client.set("key", value)
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


@pytest.fixture
def deaf() -> Iterator[str]:
    """The address of a server that takes no connection: its queue of them is full, as that of a frozen one becomes."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as server:
        waiting = [socket.socket() for _ in range(4)]
        for one in waiting:
            one.setblocking(False)
            one.connect_ex(server.getsockname())
        yield f"127.0.0.1:{server.getsockname()[1]}"
        for one in waiting:
            one.close()


def test_a_server_that_takes_no_connection_is_given_up_in_time(deaf: str) -> None:
    client = broker_client(f"redis://{deaf}/0", timeout_seconds=10.0, connect_seconds=10.0)
    with silent_until(time.monotonic() + 0.5):
        assert 0.45 < seconds_until_it_fails(client) < 5.0


def test_a_server_that_is_silent_about_tls_is_given_up_in_time() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        client = broker_client(f"rediss://127.0.0.1:{server.getsockname()[1]}/0", timeout_seconds=10.0)
        with silent_until(time.monotonic() + 0.5):
            assert 0.45 < seconds_until_it_fails(client) < 5.0


@pytest.fixture
def sated() -> Iterator[str]:
    """The address of a server that greets its client and one command, and reads nothing after that."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        ended = threading.Event()

        def greet() -> None:
            with server.accept()[0] as connection:
                while (asked := connection.recv(65_536)) and b"PING" not in asked:
                    connection.sendall(b"+OK\r\n" * asked.count(b"SETINFO"))
                connection.sendall(b"+PONG\r\n")
                ended.wait()

        thread = threading.Thread(target=greet)
        thread.start()
        yield f"redis://127.0.0.1:{server.getsockname()[1]}/0?protocol=2"
        ended.set()
        thread.join()


def test_a_server_that_reads_nothing_is_given_up_in_time(sated: str) -> None:
    client = broker_client(sated, timeout_seconds=10.0)
    assert client.ping()
    with silent_until(time.monotonic() + 0.5):
        assert 0.45 < seconds_until_it_fails(client, bytes(64 << 20)) < 5.0
