"""Reading the answer of a starting instance."""

import json
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from supervisor.ports import pick_free_port, port_problem
from supervisor.readiness import local_url, parse, probe, public_url
from supervisor.supervisor import read_settings


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


@pytest.mark.parametrize(
    "nonsense", [b"", b"<html>", b"[]", b"{}", b"[" * 100_000, b'{"ready": true, "checks": {"a": 1}}']
)
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


@pytest.mark.parametrize(
    ("settings", "url"),
    [
        ({}, "http://127.0.0.1:8000"),
        ({"HTTPS": "1", "ALLOWED_HOSTS": ".example.com,search.example.com"}, "https://search.example.com"),
        ({"HTTPS": "1", "ALLOWED_HOSTS": ".example.com"}, "https://HOST-OF-THE-PROXY"),
    ],
)
def test_with_https_clients_are_told_the_address_of_the_proxy(
    settings: dict[str, str], url: str, tmp_path: Path
) -> None:
    assert public_url(read_settings({"VAR_DIR": str(tmp_path), **settings})) == url


@pytest.mark.parametrize(
    ("host", "port", "problem"),
    [
        ("192.0.2.1", 8000, "HOST is 192.0.2.1, which is no address of this machine"),
        ("no.such.host.invalid", 8000, "neither an address nor a name that resolves"),
        pytest.param("127.0.0.1", pick_free_port(), "", id="a free port"),
    ],
)
def test_what_forbids_to_listen_is_named(host: str, port: int, problem: str) -> None:
    assert problem in port_problem(host, port)
    assert bool(problem) == bool(port_problem(host, port))


def test_a_port_that_somebody_listens_on_is_taken() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        assert "is taken" in port_problem("127.0.0.1", other.getsockname()[1])


def test_a_port_for_root_alone_is_named_as_such() -> None:
    code = """if True:
        import os
        from supervisor.ports import port_problem
        port_problem("localhost", 80)  # loads what it needs while that can be read
        os.getuid() or os.setuid(65534)
        print(port_problem("127.0.0.1", 80))"""
    limit = Path("/proc/sys/net/ipv4/ip_unprivileged_port_start").read_text(encoding="ascii")
    done = subprocess.run((sys.executable, "-c", code), capture_output=True, text=True, check=True)
    assert "needs root" in done.stdout or int(limit) <= 80
