"""The checks of one server: what was found last, unless that was too long ago."""

import threading
import time

import pytest

from embeddings_app.services.operating import readiness
from embeddings_app.services.operating.readiness import Found, Source


def test_what_was_found_is_told_with_its_age() -> None:
    source = Source("test", ("a", "b"), lambda: {"a": Found(True, "answers"), "b": Found(False, "silent")})
    checks = source.checks()
    assert {name: (check.ok, check.detail) for name, check in checks.items()} == {
        "a": (True, "answers"),
        "b": (False, "silent"),
    }
    assert 0 <= checks["a"].age_seconds < 5


def test_a_server_that_never_answered_is_not_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readiness, "_FIRST_WAIT_SECONDS", 0.05)
    hangs = threading.Event()
    source = Source("test", ("a",), lambda: {"a": Found(hangs.wait(10), "")})
    assert (source.checks()["a"].ok, source.checks()["a"].detail) == (False, "not known yet")
    hangs.set()


def test_good_news_that_is_old_is_not_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readiness, "STALE_SECONDS", 0.05)
    monkeypatch.setattr(readiness, "_pause", lambda findings: 60.0)
    source = Source("test", ("a",), lambda: {"a": Found(True, "answers")})
    assert source.checks()["a"].ok
    time.sleep(0.1)
    assert (source.checks()["a"].ok, source.checks()["a"].detail) == (False, "no news for 0 s")
