"""TCP ports of the servers the supervisor starts: free ones, and the one of the api, held for it."""

import errno
import random
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from supervisor.errors import StartError

# Below the range the kernel hands out for outgoing connections: a server that comes back after a crash must not find
# its port taken by somebody's client socket.
_LOWEST, _HIGHEST = 20000, 32000
_ATTEMPTS = 200


@contextmanager
def held_port(host: str, port: int) -> Iterator[None]:
    """Keep host:port for a server of this user, whenever that starts or starts again. Raises StartError.

    A socket that is bound and does not listen keeps it, for as long as this block. SO_REUSEPORT lets in the server,
    which sets that too. Strangers with SO_REUSEADDR would also be let in, had this socket not listened for a moment.
    """
    with _bound(host, port) as holder:
        try:
            holder.listen(0)
        except OSError as error:
            raise StartError(_words(error, host, port)) from error
        holder.shutdown(socket.SHUT_RDWR)
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 0)
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        yield


def port_problem(host: str, port: int) -> str:
    """Why no server could listen on host:port now, and what to do about it; empty when one could."""
    try:
        _bound(host, port).close()
    except StartError as error:
        return str(error)
    return ""


def _bound(host: str, port: int) -> socket.socket:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except socket.gaierror as error:
        raise StartError(f"HOST is {host}, which is neither an address nor a name that resolves") from error
    with ExitStack() as opened:
        try:
            bound = opened.enter_context(socket.socket(family, kind, protocol))
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            bound.bind(address)
        except OSError as error:
            raise StartError(_words(error, host, port)) from error
        opened.pop_all()
    return bound


def _words(error: OSError, host: str, port: int) -> str:
    match error.errno:
        case errno.EACCES:
            return f"port {port} needs root; choose one from 1024 on with --port N, or PORT"
        case errno.EADDRINUSE:
            return f"port {port} on {host} is taken; choose another one with --port N, or PORT"
        case errno.EADDRNOTAVAIL:
            return f"HOST is {host}, which is no address of this machine"
        case _:
            return f"port {port} on {host}: {error.strerror}"


def pick_free_port() -> int:
    """A port on 127.0.0.1 on which no server listens."""
    for _ in range(_ATTEMPTS):
        port = random.randint(_LOWEST, _HIGHEST)
        if not port_problem("127.0.0.1", port):
            return port
    raise OSError(f"no free port between {_LOWEST} and {_HIGHEST}")
