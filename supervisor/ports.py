"""Free TCP ports for the servers the supervisor starts."""

import random
import socket

# Below the range the kernel hands out for outgoing connections: a server that comes back after a crash must not find
# its port taken by somebody's client socket.
_LOWEST, _HIGHEST = 20000, 32000
_ATTEMPTS = 200


def port_is_free(host: str, port: int) -> bool:
    """Whether a server could listen on host:port now. An address this machine does not have counts as not free."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError:
        return False
    return True


def pick_free_port(taken: frozenset[int] = frozenset()) -> int:
    """A port on 127.0.0.1 nobody listens on and that is not in `taken`."""
    for _ in range(_ATTEMPTS):
        port = random.randint(_LOWEST, _HIGHEST)
        if port not in taken and port_is_free("127.0.0.1", port):
            return port
    raise OSError(f"no free port between {_LOWEST} and {_HIGHEST}")
