"""Connections that hold on are cut, on real sockets; others are let be."""

import socket
import time
from collections.abc import Iterator

import pytest

from embedding_project.serving.connections import Patience, cut_held_connections

NEVER = 1_000.0


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    with (
        socket.create_server(("127.0.0.1", 0)) as listening,
        socket.create_connection(listening.getsockname()) as client,
        listening.accept()[0] as accepted,
    ):
        time.sleep(0.3)
        yield client, accepted


def _cut(accepted: socket.socket, **seconds: float) -> int:
    patience = Patience(**{"silent_seconds": NEVER, "unanswered_seconds": NEVER, **seconds})
    return cut_held_connections(accepted.getsockname()[1], patience)


def test_a_silent_connection_ends_for_its_reader_and_can_still_be_answered(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    client, accepted = pair
    assert _cut(accepted, silent_seconds=NEVER) == 0
    assert _cut(accepted, silent_seconds=0.2) == 1
    assert accepted.recv(1) == b""
    accepted.sendall(b"408")
    assert client.recv(3) == b"408"


def test_a_connection_that_goes_on_sending_without_an_answer_ends(pair: tuple[socket.socket, socket.socket]) -> None:
    client, accepted = pair
    client.sendall(b"a")
    assert accepted.recv(1) == b"a"
    assert _cut(accepted, silent_seconds=0.2) == 0
    assert _cut(accepted, unanswered_seconds=0.2) == 1
    assert accepted.recv(1) == b""


def test_a_connection_that_was_just_answered_goes_on(pair: tuple[socket.socket, socket.socket]) -> None:
    client, accepted = pair
    accepted.sendall(b"200")
    client.sendall(b"a")
    assert _cut(accepted, unanswered_seconds=0.2) == 0
    assert accepted.recv(1) == b"a"
