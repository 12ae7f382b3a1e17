"""Reading the answer of a starting instance."""

import json

import pytest

from supervisor.ports import pick_free_port, port_is_free
from supervisor.readiness import local_url, parse, probe


def body(*, ready: bool, **checks: bool) -> bytes:
    listed = {name: {"ok": ok, "detail": "" if ok else "no heartbeat"} for name, ok in checks.items()}
    return json.dumps({"ready": ready, "checks": listed}).encode()


def test_ready_needs_the_status_and_the_word() -> None:
    assert parse(200, body(ready=True, postgres=True)).ready
    assert not parse(503, body(ready=True, postgres=True)).ready
    assert not parse(200, body(ready=False, postgres=True)).ready


def test_missing_checks_are_named_with_their_detail() -> None:
    answer = parse(503, body(ready=False, postgres=True, indexer=False))
    assert str(answer) == "indexer (no heartbeat)"


@pytest.mark.parametrize("nonsense", [b"", b"<html>", b"[]", b"{}", b'{"ready": true, "checks": {"a": 1}}'])
def test_an_answer_of_another_shape_is_a_missing_api(nonsense: bytes) -> None:
    assert parse(500, nonsense).missing == {"api": "answers 500 without a list of checks"}


def test_no_answer_is_a_missing_api() -> None:
    assert probe("127.0.0.1", pick_free_port()).missing == {"api": "no answer yet"}


@pytest.mark.parametrize(
    ("host", "url"),
    [("127.0.0.1", "http://127.0.0.1:80"), ("0.0.0.0", "http://127.0.0.1:80"), ("::", "http://[::1]:80")],
)
def test_a_server_on_every_address_is_asked_on_loopback(host: str, url: str) -> None:
    assert local_url(host, 80) == url


def test_a_foreign_address_counts_as_not_free() -> None:
    assert not port_is_free("192.0.2.1", 8000)
