"""An instance that comes back after its roles were killed."""

import time
from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec

import httpx
import pytest

from tests.conftest import Service

RECOVERY_SECONDS = 120.0
LATE = {"too_slow", "index_unavailable", "overloaded", "database_unavailable"}
"""What a search may hear on a machine that stands still for a moment."""
_ATTEMPTS = 4
_Given = ParamSpec("_Given")


def wait_until_ready(service: Service) -> None:
    until = time.monotonic() + RECOVERY_SECONDS
    answer = "no answer"
    while time.monotonic() < until:
        try:
            response = httpx.get(f"{service.url}/readyz", timeout=5)
            answer = response.text
            if response.status_code == 200:
                return
        except httpx.HTTPError as error:
            answer = repr(error)
        time.sleep(0.2)
    pytest.fail(f"not ready again within {RECOVERY_SECONDS} s: {answer}")


def whole_answer(client: httpx.Client, search: dict[str, Any]) -> dict[str, Any]:
    """What a search finds when it has the time to ask every shard: on a busy machine it may say that it had not."""
    until = time.monotonic() + RECOVERY_SECONDS
    while True:
        answer = client.post("/v1/search", json=search)
        if answer.status_code == 200 and not answer.json()["partial"]:
            found: dict[str, Any] = answer.json()
            return found
        assert answer.status_code in (200, 429, 503), answer.text
        assert time.monotonic() < until, answer.text
        time.sleep(0.1)


class NotInTime(AssertionError):
    """A promise about time was broken: by the service, or by a machine that gave it none."""


def in_time(kept: bool, told: object = "") -> None:
    """Raises NotInTime, which one attempt of a test survives. What must hold however slow a machine is, is asserted."""
    if not kept:
        raise NotInTime(told)


def in_some_attempt(test: Callable[_Given, None]) -> Callable[_Given, None]:
    """For promises about time, which a busy machine may break for the service now and then, but not each time. Only
    NotInTime leads to another attempt: what is wrong in one of them for any other reason fails the test."""

    @wraps(test)
    def attempted(*args: _Given.args, **kwargs: _Given.kwargs) -> None:
        for _ in range(_ATTEMPTS - 1):
            try:
                test(*args, **kwargs)
            except NotInTime as failure:
                print("not in this attempt:", str(failure)[:2_000])
            else:
                return
        test(*args, **kwargs)

    return attempted
