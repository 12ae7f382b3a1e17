"""The port of the api is the instance's own from its first moment to its last."""

import socket

import pytest

from supervisor.errors import StartError
from supervisor.ports import held_port, pick_free_port, port_problem

HOST = "127.0.0.1"


def listening(port: int, *flags: int) -> socket.socket:
    """A server's socket, bound as one with these options binds. Raises OSError."""
    server = socket.socket()
    try:
        for flag in flags:
            server.setsockopt(socket.SOL_SOCKET, flag, 1)
        server.bind((HOST, port))
        server.listen()
    except OSError:
        server.close()
        raise
    return server


def the_api(port: int) -> socket.socket:
    """As the HTTP server binds."""
    return listening(port, socket.SO_REUSEADDR, socket.SO_REUSEPORT)


@pytest.mark.parametrize("flags", [(), (socket.SO_REUSEADDR,)])
def test_a_stranger_cannot_take_a_held_port(flags: tuple[int, ...]) -> None:
    port = pick_free_port()
    with held_port(HOST, port):
        for _ in range(2):
            with pytest.raises(OSError, match="Address already in use"):
                listening(port, *flags)
            # Also not after the api was there and died.
            the_api(port).close()
    assert port_problem(HOST, port) == ""


def test_connections_to_a_held_port_are_refused_until_the_api_listens_and_then_reach_it() -> None:
    port = pick_free_port()
    with held_port(HOST, port):
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((HOST, port))
        with the_api(port) as api:
            for _ in range(20):
                with socket.create_connection((HOST, port), timeout=5) as client, api.accept()[0] as accepted:
                    assert accepted.getpeername() == client.getsockname()


def test_a_port_is_held_once() -> None:
    port = pick_free_port()
    with held_port(HOST, port), pytest.raises(StartError, match="is taken"), held_port(HOST, port):
        pytest.fail("held twice")


def test_a_port_can_be_held_beside_connections_that_a_server_has_just_closed() -> None:
    with listening(pick_free_port(), socket.SO_REUSEADDR) as server:
        port = server.getsockname()[1]
        with socket.create_connection((HOST, port)):
            server.accept()[0].close()
    with held_port(HOST, port):
        the_api(port).close()
