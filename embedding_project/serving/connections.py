"""Cuts connections that only hold on, each of which keeps a thread of the api busy.

A thread that waits for a body cannot be woken: Granian has no deadline for it. The kernel knows of each connection when
bytes last went in either direction. Without more bytes to come, the waiting read ends, and the client hears 408.
"""

import os
import socket
import stat
import struct
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

from embedding_project.contracts.limits import BODY_DEADLINE_SECONDS
from embedding_project.threads.background import repeat_forever

_PERIOD_SECONDS = 5.0
_KEEP_ALIVE_SECONDS = 30.0
"""Granian closes a connection on which no request has begun for so long."""
_OWN_FDS = "/proc/self/fd"
_ESTABLISHED = 1
_INFO_BYTES = 192
_LAST_SENT, _LAST_RECEIVED = 44, 52
"""Offsets in `struct tcp_info`: milliseconds since the last byte of data."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    silent_seconds: float = 60.0
    """Neither side has sent a byte: longer than any request takes to answer."""
    unanswered_seconds: float = _KEEP_ALIVE_SECONDS + BODY_DEADLINE_SECONDS + _PERIOD_SECONDS
    """The client has had no answer and goes on sending."""


def watch_connections(port: int) -> None:
    """Cut, from now on, what holds on to the connections of this process to `port`."""

    def look() -> None:
        time.sleep(_PERIOD_SECONDS)
        cut_held_connections(port, Patience())

    repeat_forever("connections", look)


def cut_held_connections(port: int, patience: Patience) -> int:
    """End the reading of connections that hold on; gives their number."""
    return sum(map(partial(_cut, patience=patience), _connections(port)))


def _connections(port: int) -> Iterator[socket.socket]:
    """Every connection of this process to `port`, by a descriptor of its own."""
    for name in os.listdir(_OWN_FDS):
        try:
            descriptor = os.dup(int(name))
        except OSError:
            continue
        if not stat.S_ISSOCK(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            continue
        with socket.socket(fileno=descriptor) as connection:
            internet = connection.family in (socket.AF_INET, socket.AF_INET6)
            if internet and connection.type == socket.SOCK_STREAM and connection.getsockname()[1] == port:
                yield connection


def _cut(connection: socket.socket, patience: Patience) -> bool:
    info = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _INFO_BYTES)
    sent, received = (struct.unpack_from("=I", info, offset)[0] / 1_000 for offset in (_LAST_SENT, _LAST_RECEIVED))
    silent = min(sent, received) > patience.silent_seconds
    holding = sent > patience.unanswered_seconds and received <= _PERIOD_SECONDS + 1
    if info[0] != _ESTABLISHED or not (silent or holding):
        return False
    try:
        connection.shutdown(socket.SHUT_RD)
    except OSError:
        return False  # gone meanwhile
    return True
