"""HTTP whose calls end in time, however slowly the other side sends and takes. The limits of httpx are those of each
read: a server that sends a byte of its headers now and then would hold a call for hours."""

import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from ssl import SSLContext
from typing import Any

import httpcore
import httpx

FAULTS = (httpx.HTTPError, httpcore.TimeoutException, httpcore.NetworkError, httpcore.ProtocolError)
"""What a call may raise."""
_WRITTEN_AT_ONCE = 16 * 1024
"""A record of TLS: each has what is left of the time."""
Addresses = Callable[[str, int], Sequence[str]]
"""Of a host, in the order in which they are tried."""
_limit = threading.local()


@contextmanager
def ended_by(until: float) -> Iterator[None]:
    """What this thread sends and receives in the block times out at `until` (monotonic seconds)."""
    _limit.until = until
    try:
        yield
    finally:
        del _limit.until


def addresses_of(host: str, port: int) -> list[str]:
    """As the resolver of the system has them. How long that takes is its own setting."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise httpcore.ConnectError(type(error).__name__) from None
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


class BoundedTransport(httpx.BaseTransport):
    """Connections to one place, of this process alone: no proxies, no HTTP/2."""

    def __init__(self, limits: httpx.Limits, addresses: Addresses = addresses_of) -> None:
        self._pool = httpcore.ConnectionPool(
            ssl_context=httpx.create_ssl_context(trust_env=False),
            max_connections=limits.max_connections,
            max_keepalive_connections=limits.max_keepalive_connections,
            keepalive_expiry=limits.keepalive_expiry,
            network_backend=_Network(addresses),
        )

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        url = request.url
        target = httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path)
        found = self._pool.handle_request(
            httpcore.Request(
                method=request.method,
                url=target,
                headers=request.headers.raw,
                content=request.stream,
                extensions=request.extensions,
            )
        )
        stream = _Received(found)
        return httpx.Response(found.status, headers=found.headers, stream=stream, extensions=found.extensions)

    def close(self) -> None:
        self._pool.close()


class _Received(httpx.SyncByteStream):
    def __init__(self, response: httpcore.Response) -> None:
        self._response = response

    def __iter__(self) -> Iterator[bytes]:
        return self._response.iter_stream()

    def close(self) -> None:
        self._response.close()


class _Network(httpcore.NetworkBackend):
    def __init__(self, addresses: Addresses) -> None:
        self._addresses = addresses
        self._plain = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        # Of several addresses of a host, each would have all of the time.
        failure: Exception = httpcore.ConnectError("the host has no address")
        for address in self._addresses(host, port):
            left = _left(timeout, httpcore.ConnectTimeout)
            try:
                return _Stream(self._plain.connect_tcp(address, port, left, local_address, socket_options))
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
        raise failure

    def sleep(self, seconds: float) -> None:
        self._plain.sleep(seconds)


class _Stream(httpcore.NetworkStream):
    def __init__(self, plain: httpcore.NetworkStream) -> None:
        self._plain = plain

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._plain.read(max_bytes, _left(timeout, httpcore.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        for start in range(0, len(buffer), _WRITTEN_AT_ONCE):
            self._plain.write(buffer[start : start + _WRITTEN_AT_ONCE], _left(timeout, httpcore.WriteTimeout))

    def close(self) -> None:
        self._plain.close()

    def start_tls(
        self, ssl_context: SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        timeout = _left(timeout, httpcore.ConnectTimeout)
        return _Stream(self._plain.start_tls(ssl_context, server_hostname, timeout))

    def get_extra_info(self, info: str) -> Any:
        return self._plain.get_extra_info(info)


def _left(timeout: float | None, over: type[httpcore.TimeoutException]) -> float | None:
    """The timeout, or what is left of the time of the call."""
    until = getattr(_limit, "until", None)
    if until is None:
        return timeout
    left: float = until - time.monotonic()
    if left <= 0:
        raise over("the time of the call is over")
    return left if timeout is None else min(timeout, left)
