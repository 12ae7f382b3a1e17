"""Redis clients with deadlines: a server that does not answer counts as dead.

While a request waits for Redis it leaves its turn to others, wherever it asks from; see `threads.turns`.
"""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from redis import Redis
from redis.backoff import NoBackoff
from redis.connection import AbstractConnection, Connection, SSLConnection, UnixDomainSocketConnection
from redis.retry import Retry

from embedding_project.threads.turns import request_turns

LEAST_SILENCE_SECONDS = 0.25
"""A server that lives may be silent for so long on a busy machine."""
_patience = threading.local()


@contextmanager
def silent_until(deadline: float) -> Iterator[None]:
    """A server that says nothing, or takes nothing, until `deadline` (monotonic seconds) counts as dead for the block,
    in this thread, though its client would wait for longer. A moment is left to it in any case. Of blocks within each
    other, the innermost counts."""
    outer = _deadline()
    _patience.deadline = deadline
    try:
        yield
    finally:
        _patience.deadline = outer


def _bounded(own_seconds: float | None) -> float | None:
    """How long a client may wait now that would wait so long by itself."""
    deadline = _deadline()
    if deadline is None:
        return own_seconds
    left = max(deadline - time.monotonic(), LEAST_SILENCE_SECONDS)
    return left if own_seconds is None else min(own_seconds, left)


def _deadline() -> float | None:
    return getattr(_patience, "deadline", None)


class _TurnLeft(AbstractConnection):
    """Leaves the turn of its thread to others while it connects, and while it waits for an answer; waits for these, and
    until what it sends is taken, no longer than `silent_until` says."""

    def _connect(self) -> Any:
        own = self.socket_connect_timeout, self.socket_timeout
        # The second one is for the handshake of TLS.
        self.socket_connect_timeout, self.socket_timeout = map(_bounded, own)
        try:
            with request_turns.away():
                connected = super()._connect()  # type: ignore[no-untyped-call, safe-super]
        finally:
            self.socket_connect_timeout, self.socket_timeout = own
        connected.settimeout(self.socket_timeout)
        return connected

    def send_packed_command(self, command: Any, check_health: bool = True) -> None:
        if _deadline() is None:
            super().send_packed_command(command, check_health)  # type: ignore[no-untyped-call]
            return
        if not self._sock:
            self.connect_check_health(check_health=False)
        connected: Any = self._sock
        for piece in [command] if isinstance(command, str) else command:
            connected.settimeout(_bounded(self.socket_timeout))
            super().send_packed_command([piece], check_health)  # type: ignore[no-untyped-call]
        # After a failure it is closed.
        connected.settimeout(self.socket_timeout)

    def read_response(self, *arguments: Any, **options: Any) -> Any:
        if _deadline() is not None:
            options.setdefault("timeout", _bounded(self.socket_timeout))
        with request_turns.away():
            return super().read_response(*arguments, **options)


class _Tcp(_TurnLeft, Connection):
    pass


class _Tls(_TurnLeft, SSLConnection):
    pass


class _UnixSocket(_TurnLeft, UnixDomainSocketConnection):
    pass


_KINDS = {Connection: _Tcp, SSLConnection: _Tls, UnixDomainSocketConnection: _UnixSocket}
"""What takes the place of the class that redis-py chooses by the address."""


def broker_client(url: str, timeout_seconds: float = 2.0, connect_seconds: float = 1.0) -> Redis:
    """A client that fails within `timeout_seconds` instead of retrying; replies are bytes."""
    client = Redis.from_url(
        url,
        socket_timeout=timeout_seconds,
        socket_connect_timeout=connect_seconds,
        socket_keepalive=True,
        retry=Retry(NoBackoff(), 0),
        health_check_interval=0,
    )
    pool = client.connection_pool
    pool.connection_class = _KINDS[pool.connection_class]
    return client


def cache_client(url: str) -> Redis:
    """A client for the embedding cache, where a slow answer is worth no more than a miss."""
    return broker_client(url, timeout_seconds=0.25, connect_seconds=0.25)
