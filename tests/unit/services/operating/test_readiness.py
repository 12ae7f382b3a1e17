"""The checks of one server: what was found last, unless that was too long ago."""

import threading
import time

from embeddings_app.services.operating.readiness import Found, Source


def test_what_was_found_is_told_with_its_age() -> None:
    source = Source("test", ("a", "b"), lambda: {"a": Found(True, "answers"), "b": Found(False, "silent")})
    checks = source.checks()
    assert {name: (check.ok, check.detail) for name, check in checks.items()} == {
        "a": (True, "answers"),
        "b": (False, "silent"),
    }
    assert 0 <= checks["a"].age_seconds < 5


def test_a_server_that_never_answered_is_not_ready() -> None:
    hangs = threading.Event()
    source = Source("test", ("a",), lambda: {"a": Found(hangs.wait(10), "")}, first_wait_seconds=0.05)
    assert (source.checks()["a"].ok, source.checks()["a"].detail) == (False, "not known yet")
    hangs.set()


def test_good_news_that_is_old_is_not_ready() -> None:
    answers = {"a": Found(True, "answers")}
    source = Source("test", ("a",), lambda: answers, pause=lambda _: 60.0, stale_seconds=0.05)
    assert source.checks()["a"].ok
    time.sleep(0.1)
    assert (source.checks()["a"].ok, source.checks()["a"].detail) == (False, "no news for 0 s")
