"""The address of a client: of the connection, or what a trusted proxy says about it.

Anybody can send `X-Forwarded-For`. It counts from its end, as far as the hops are proxies of ours.
"""

from collections.abc import Mapping, Sequence
from functools import cache
from ipaddress import ip_address, ip_network
from typing import Any

from embedding_project.config import load_config


class ClientAddress:
    def __init__(self, trusted_proxies: Sequence[str]) -> None:
        """`trusted_proxies` are addresses or networks."""
        self._trusted = [ip_network(proxy) for proxy in trusted_proxies]

    def of(self, meta: Mapping[str, Any]) -> str:
        """The address of the client of the request with these headers."""
        address: str = meta.get("REMOTE_ADDR", "")
        if not self._trusted:
            return address
        for hop in reversed(meta.get("HTTP_X_FORWARDED_FOR", "").split(",")):
            if not self._is_trusted(address) or not _is_address(hop.strip()):
                break
            address = hop.strip()
        return address

    def _is_trusted(self, address: str) -> bool:
        return _is_address(address) and any(ip_address(address) in network for network in self._trusted)


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


@cache
def client_address() -> ClientAddress:
    """By the configuration of this process."""
    return ClientAddress(load_config().trusted_proxies)
