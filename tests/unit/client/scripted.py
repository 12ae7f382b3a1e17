"""Runs the steps of the Python client against answers of a test, without a transport and without waiting."""

import json
from collections.abc import Callable
from typing import Any, TypeVar

from embsearch.exchange import Call, Lost, Patience, Pause, Reply, Steps

T = TypeVar("T")
PATIENCE = Patience(timeout_seconds=1.0, retries=3, deadline_seconds=10.0, clock=lambda: 0.0, random=lambda: 0.0)


def run(steps: Steps[T], answer: Callable[[Call], Reply | Lost]) -> T:
    given: Reply | Lost | None = None
    try:
        while True:
            step = steps.send(given)
            given = None if isinstance(step, Pause) else answer(step)
    except StopIteration as end:
        result: T = end.value
        return result


def reply(body: Any, status: int = 200) -> Reply:
    return Reply(status=status, headers={}, content=json.dumps(body).encode())
