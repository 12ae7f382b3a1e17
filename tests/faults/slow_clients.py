"""Clients that send a body a byte at a time, or begin one and fall silent."""

import socket
import threading
from contextlib import suppress
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

_PERIOD_SECONDS = 0.25


class SlowClients:
    """Connections that each sent `head` and go on with a byte four times a second, for the length of a block."""

    def __init__(self, url: str, head: bytes, number: int, *, drips: bool = True) -> None:
        address = urlsplit(url)
        self._connections = []
        for _ in range(number):
            connection = socket.create_connection((address.hostname, address.port or 80), timeout=10)
            connection.sendall(head)
            self._connections.append(connection)
        self._drips = drips
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._drip)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _at: TracebackType | None
    ) -> None:
        self._stopped.set()
        self._thread.join()
        for connection in self._connections:
            connection.close()

    def _drip(self) -> None:
        while not self._stopped.wait(_PERIOD_SECONDS):
            for connection in self._connections if self._drips else ():
                with suppress(OSError):
                    connection.send(b"a")


def form_head(path: bytes, *headers: bytes) -> bytes:
    lines = (b"POST " + path + b" HTTP/1.1", b"Host: localhost", *headers, b"Content-Length: 100000", b"", b"a")
    return b"\r\n".join(lines)
