"""Calls of libraries that know no deadline: each in a thread of its own, and only a few at a time."""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

from embedding_project.contracts.errors import Unavailable
from embedding_project.threads.turns import request_turns

Result = TypeVar("Result")


class BoundedCalls:
    """At most `at_once` calls, counting those that their callers have given up. Safe to use from several threads."""

    def __init__(self, name: str, at_once: int) -> None:
        self._name = name
        self._free = threading.Semaphore(at_once)

    def call(self, work: Callable[[], Result], seconds: float) -> Result:
        """What `work` gives or raises. Raises TimeoutError after `seconds`, and Unavailable (overloaded) when too many
        calls are under way. The work of a caller that gave up goes on, and keeps its place until it ends."""
        if not self._free.acquire(blocking=False):
            raise Unavailable("overloaded")
        outcome: Future[Result] = Future()
        threading.Thread(target=self._run, args=(work, outcome), name=self._name, daemon=True).start()
        with request_turns.away():
            return outcome.result(seconds)

    def _run(self, work: Callable[[], Result], outcome: "Future[Result]") -> None:
        # The place is free before the caller hears, so that its next call finds one.
        try:
            result = work()
        except BaseException as error:  # noqa: BLE001 the caller raises it
            self._free.release()
            outcome.set_exception(error)
        else:
            self._free.release()
            outcome.set_result(result)
