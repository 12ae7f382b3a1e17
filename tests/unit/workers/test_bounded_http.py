"""Calls over HTTP end in time, whatever the other side does with it."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import httpcore
import httpx
import pytest

from workers.encoders.bounded_http import BoundedTransport, ended_by

LIMITS = httpx.Limits(max_connections=2, max_keepalive_connections=1, keepalive_expiry=60.0)
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
SECONDS = 0.3
"""Of a call. Each single read comes in much less."""


@contextmanager
def listening(behave: Callable[[socket.socket], None]) -> Iterator[str]:
    """The address of a server that does this with each connection."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            while True:
                try:
                    taken, _ = server.accept()
                    with taken:
                        behave(taken)
                except OSError:
                    if server.fileno() < 0:
                        return

        threading.Thread(target=serve, daemon=True).start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}/"


def drip(answer: bytes) -> Callable[[socket.socket], None]:
    """Send the answer a byte at a time, until the caller goes."""

    def behave(taken: socket.socket) -> None:
        taken.recv(65_536)
        for place in range(len(answer)):
            taken.sendall(answer[place : place + 1])
            time.sleep(0.05)

    return behave


@pytest.fixture
def client() -> Iterator[httpx.Client]:
    with httpx.Client(trust_env=False, transport=BoundedTransport(LIMITS), timeout=10.0) as made:
        yield made


@pytest.mark.parametrize("answer", [ANSWER, ANSWER[:17] + b"X-Long: " + 2_000 * b"a" + ANSWER[15:]])
def test_an_answer_that_drips_ends_with_the_time_of_the_call(client: httpx.Client, answer: bytes) -> None:
    with listening(drip(answer)) as url, pytest.raises(httpcore.ReadTimeout), ended_by(time.monotonic() + SECONDS):
        client.get(url)


def test_a_body_that_nobody_takes_ends_with_the_time_of_the_call(client: httpx.Client) -> None:
    taking = threading.Event()

    def take_nothing(_taken: socket.socket) -> None:
        taking.wait(60)

    with listening(take_nothing) as url:
        with pytest.raises(httpcore.WriteTimeout), ended_by(time.monotonic() + SECONDS):
            client.post(url, content=b"a" * 50_000_000)
        taking.set()


def test_a_connection_serves_call_after_call(client: httpx.Client) -> None:
    connections: list[int] = []

    def serve_all(taken: socket.socket) -> None:
        connections.append(taken.fileno())
        while taken.recv(65_536):
            taken.sendall(ANSWER)

    with listening(serve_all) as url:
        for _ in range(3):
            with ended_by(time.monotonic() + 30):
                assert client.get(url).text == "ok"
        assert client.get(url).text == "ok", "without a limit"
        client.close()
    assert len(connections) == 1


def test_each_address_of_a_host_is_tried() -> None:
    """Nobody listens at the first one."""
    transport = BoundedTransport(LIMITS, lambda *_: ["127.0.0.2", "127.0.0.1"])
    with listening(drip(ANSWER)) as url, httpx.Client(transport=transport) as client:
        assert client.get(url).text == "ok"


def test_no_address_is_tried_when_the_time_is_over() -> None:
    until = time.monotonic() + SECONDS

    def late(*_: object) -> list[str]:
        time.sleep(max(until - time.monotonic(), 0) + 0.05)
        return ["127.0.0.1"]

    late_client = httpx.Client(transport=BoundedTransport(LIMITS, late))
    with listening(drip(ANSWER)) as url, late_client as client, pytest.raises(httpcore.ConnectTimeout), ended_by(until):
        client.get(url)


def test_a_host_without_an_address_is_a_fault_of_the_call(client: httpx.Client) -> None:
    with pytest.raises(httpcore.ConnectError), ended_by(time.monotonic() + 60):
        client.get("http://nothing.invalid/")
