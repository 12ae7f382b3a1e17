"""Free TCP ports for the servers the supervisor starts."""

import errno
import random
import socket

# Below the range the kernel hands out for outgoing connections: a server that comes back after a crash must not find
# its port taken by somebody's client socket.
_LOWEST, _HIGHEST = 20000, 32000
_ATTEMPTS = 200


def port_problem(host: str, port: int) -> str:
    """Why no server could listen on host:port now, and what to do about it; empty when one could."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except socket.gaierror:
        return f"HOST is {host}, which is neither an address nor a name that resolves"
    except OSError as error:
        if error.errno == errno.EACCES:
            return f"port {port} needs root; choose one from 1024 on with --port N, or PORT"
        if error.errno == errno.EADDRINUSE:
            return f"port {port} on {host} is taken; choose another one with --port N, or PORT"
        if error.errno == errno.EADDRNOTAVAIL:
            return f"HOST is {host}, which is no address of this machine"
        return f"port {port} on {host}: {error.strerror}"
    return ""


def pick_free_port() -> int:
    """A port on 127.0.0.1 on which no server listens."""
    for _ in range(_ATTEMPTS):
        port = random.randint(_LOWEST, _HIGHEST)
        if not port_problem("127.0.0.1", port):
            return port
    raise OSError(f"no free port between {_LOWEST} and {_HIGHEST}")
