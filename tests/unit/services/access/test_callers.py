"""What a process knows of keys, and for how long."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from django.db import OperationalError
from django.utils import timezone

from embedding_project.contracts.errors import ServiceError
from embeddings_app.records.api_keys import StoredKey
from embeddings_app.services.access.callers import (
    FRESH_SECONDS,
    LOOK_UPS_AT_ONCE,
    STALE_SECONDS,
    UNKNOWN_SECONDS,
    Caller,
    KeyRing,
)
from tests.unit.api.refusals import refusal
from tests.unit.api.test_access import KEY, STORED


class Registry:
    """Stands for the table of keys, and for the clock."""

    def __init__(self) -> None:
        self.stored: StoredKey | None = STORED
        self.away = False
        self.asked = 0
        self.now = 100.0
        self.ring = KeyRing(self.find, lambda: self.now)

    def find(self, prefix: str) -> StoredKey | None:
        self.asked += 1
        if self.away:
            raise OperationalError
        return self.stored if prefix == STORED.prefix else None


def test_a_key_is_looked_up_once_in_four_seconds() -> None:
    registry = Registry()
    for _ in range(1000):
        assert registry.ring.caller(KEY)
    assert registry.asked == 1
    registry.now += FRESH_SECONDS
    assert registry.ring.caller(KEY)
    assert registry.asked == 2


@pytest.mark.parametrize("change", [{"revoked_at": timezone.now()}, {"expires_at": timezone.now()}])
def test_a_key_that_ends_is_refused_within_five_seconds(change: dict[str, Any]) -> None:
    registry = Registry()
    assert registry.ring.caller(KEY)
    registry.stored = replace(STORED, **change)
    registry.now += 4.9
    assert registry.ring.caller(KEY) is None


@pytest.mark.parametrize("later", [FRESH_SECONDS + 1, 30.0])
def test_a_key_that_ended_is_refused_to_all_who_send_it_at_once(later: float) -> None:
    registry = Registry()
    assert registry.ring.caller(KEY)
    asking, go_on = threading.Event(), threading.Event()

    def find(prefix: str) -> StoredKey:
        asking.set()
        go_on.wait(30)
        return replace(STORED, revoked_at=timezone.now())

    registry.ring._find = find
    registry.now += later
    with ThreadPoolExecutor(20) as threads:
        callers = [threads.submit(registry.ring.caller, KEY) for _ in range(20)]
        assert asking.wait(30)
        time.sleep(0.2)
        go_on.set()
        assert [caller.result(30) for caller in callers] == [None] * 20


def test_a_key_is_not_held_beyond_its_expiry() -> None:
    registry = Registry()
    registry.stored = replace(STORED, expires_at=timezone.now() + timedelta(seconds=1))
    assert registry.ring.caller(KEY)
    registry.now += 1
    registry.stored = None
    assert registry.ring.caller(KEY) is None


def test_a_wrong_key_is_remembered_for_a_second_and_never_fills_the_memory() -> None:
    registry = Registry()
    for _ in range(10):
        assert registry.ring.caller(KEY[:-1] + "x") is None
    assert registry.asked == 1
    registry.now += UNKNOWN_SECONDS
    assert registry.ring.caller(KEY[:-1] + "x") is None
    assert registry.asked == 2
    assert registry.ring.caller(KEY)
    for number in range(25_000):
        registry.ring.caller(f"emb_{number:010x}_{'w' * 30}")
    assert len(registry.ring._known) <= 10_000
    asked = registry.asked
    assert registry.ring.caller(KEY)
    assert registry.asked == asked


def test_what_is_no_key_is_never_looked_up() -> None:
    registry = Registry()
    for text in ("", "x" * 100_000, "emb_0123456789_short", "emb_XYZ_" + "s" * 40, KEY + "\x00", "é" * 50):
        assert registry.ring.caller(text) is None
    assert registry.asked == 0


def test_a_good_key_goes_on_for_a_minute_without_the_database() -> None:
    registry = Registry()
    assert registry.ring.caller(KEY)
    registry.away = True
    for _ in range(5):
        registry.now += 10
        assert registry.ring.caller(KEY)
    registry.now += STALE_SECONDS
    assert refusal(lambda: registry.ring.caller(KEY))[0] == "database_unavailable"


def test_an_unknown_key_without_the_database_is_not_called_wrong() -> None:
    registry = Registry()
    registry.away = True
    assert refusal(lambda: registry.ring.caller(KEY))[0] == "database_unavailable"
    registry.away = False
    assert registry.ring.caller(KEY)


def test_the_last_use_is_told_once() -> None:
    registry = Registry()
    registry.ring.caller(KEY)
    assert list(registry.ring.take_used()) == ["0123456789"]
    assert registry.ring.take_used() == {}


def test_a_caller_without_the_scope_or_the_namespace_is_refused() -> None:
    caller = Caller(name="x", scopes=frozenset({"search"}), namespaces=frozenset({"a"}))
    caller.require("search", "write")
    caller.require_namespace("a")
    with pytest.raises(ServiceError) as refused:
        caller.require("write", "embed")
    assert (refused.value.code, refused.value.message) == ("forbidden_scope", "the key lacks the scope write or embed")
    assert refusal(lambda: caller.require_namespace("b")) == ("forbidden_namespace", "namespace")
    Caller(name="x", scopes=frozenset()).require_namespace("anything")


def test_few_keys_are_looked_up_at_a_time_and_known_keys_do_not_wait_for_them() -> None:
    go_on, asking = threading.Event(), threading.Semaphore(0)
    asked: list[str] = []

    def find(prefix: str) -> StoredKey | None:
        if prefix == STORED.prefix:
            return STORED
        asked.append(prefix)
        asking.release()
        assert go_on.wait(10)
        return None

    ring = KeyRing(find)
    assert ring.caller(KEY)
    wrong = [f"emb_{number:010x}_{'w' * 30}" for number in range(100)]
    with ThreadPoolExecutor(100) as pool:
        answers = [pool.submit(refusal, partial(ring.caller, key)) for key in wrong[:-1]]
        for _ in range(LOOK_UPS_AT_ONCE):
            assert asking.acquire(timeout=10)
        assert len(asked) == LOOK_UPS_AT_ONCE
        assert ring.caller(KEY)
        assert refusal(lambda: ring.caller(wrong[-1]))[0] == "overloaded"
        go_on.set()
        for answer in answers:
            answer.exception(10)
    assert ring.caller(wrong[-1]) is None
