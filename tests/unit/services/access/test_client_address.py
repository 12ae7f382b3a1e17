"""Whose word counts about the address of a client."""

import pytest

from embeddings_app.services.access.client_address import ClientAddress

PROXIES = ("10.0.0.0/8", "192.0.2.1", "fd00::/8")


@pytest.mark.parametrize(
    ("connection", "forwarded", "client"),
    [
        ("10.0.0.1", "203.0.113.7", "203.0.113.7"),
        ("10.0.0.1", "1.1.1.1, 203.0.113.7", "203.0.113.7"),
        ("10.0.0.1", "1.1.1.1, 203.0.113.7, 192.0.2.1", "203.0.113.7"),
        ("10.0.0.1", "203.0.113.7, unknown", "10.0.0.1"),
        ("10.0.0.1", "", "10.0.0.1"),
        ("10.0.0.1", "10.0.0.2,10.0.0.3", "10.0.0.2"),
        ("fd00::1", "2001:db8::1", "2001:db8::1"),
        ("203.0.113.9", "1.1.1.1", "203.0.113.9"),
        ("", "1.1.1.1", ""),
    ],
)
def test_only_trusted_proxies_tell_the_address(connection: str, forwarded: str, client: str) -> None:
    meta = {"REMOTE_ADDR": connection, "HTTP_X_FORWARDED_FOR": forwarded}
    assert ClientAddress(PROXIES).of(meta) == client
    assert ClientAddress(()).of(meta) == connection
