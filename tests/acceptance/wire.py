"""HTTP below what a client library would send: for requests that no library makes."""

import json
import socket
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

TIMEOUT_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


def send(url: str, request: bytes, *, finished: bool = False) -> Answer:
    """Send the bytes as they are on a connection of their own, and read one answer; `finished` ends the sending."""
    with _connected(url) as connection:
        # A server that refuses by what it has seen so far may close before it was sent everything.
        with suppress(BrokenPipeError, ConnectionResetError):
            connection.sendall(request)
            if finished:
                connection.shutdown(socket.SHUT_WR)
        return _read(connection)[0]


def send_twice(url: str, request: bytes) -> tuple[Answer, Answer]:
    """Send the bytes and read two answers from the same connection."""
    with _connected(url) as connection:
        connection.sendall(request)
        first, rest = _read(connection)
        return first, _read(connection, rest)[0]


def _connected(url: str) -> socket.socket:
    address = urlsplit(url)
    return socket.create_connection((address.hostname, address.port or 80), timeout=TIMEOUT_SECONDS)


def _read(connection: socket.socket, received: bytes = b"") -> tuple[Answer, bytes]:
    """One answer, and what came after it."""
    while b"\r\n\r\n" not in received:
        received += _more(connection)
    head, _, body = received.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    length = int(headers.get("content-length", "0"))
    while len(body) < length:
        body += _more(connection)
    return Answer(int(first.split()[1]), headers, body[:length]), body[length:]


def _more(connection: socket.socket) -> bytes:
    data = connection.recv(65536)
    if not data:
        raise ConnectionError("closed before the answer was whole")
    return data
