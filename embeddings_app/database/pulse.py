"""Knows within two seconds that Postgres no longer answers, be it gone, frozen or unreachable.

A slow query and a frozen server look alike from one connection. So one thread per process asks the smallest question
there is, over a connection of its own: only when that is not answered either are other waits given up.
"""

import logging
import threading
import time
from collections.abc import Callable, Generator
from typing import Any, TypeVar

import psycopg
from psycopg.waiting import Ready, Wait

from embedding_project.threads.background import repeat_forever

SILENT_SECONDS = 1.2
"""Without an answer for so long, the server counts as dead."""
_PERIOD_SECONDS = 0.4
_READY_NONE = 0
logger = logging.getLogger(__name__)

Value = TypeVar("Value")
Steps = Generator[Wait, Ready | int, Value]


def bounded(steps: Steps[Value], give_up: Callable[[], bool]) -> Steps[Value]:
    """`steps` of a psycopg operation, ended by OperationalError when a pause finds that `give_up` says so."""
    try:
        state = next(steps)
        while True:
            ready = yield state
            if ready == _READY_NONE and give_up():
                raise psycopg.OperationalError("the server does not answer")
            state = steps.send(ready)
    except StopIteration as finished:
        value: Value = finished.value
        return value


class Pulse:
    """When the server last answered. `start` makes it follow one server; until then it reports no silence."""

    def __init__(self) -> None:
        self.generation = 0
        """Rises when the server went away: connections made before are of no use."""
        self._answered = time.monotonic()
        self._connection: psycopg.Connection[Any] | None = None
        self._parameters: dict[str, Any] | None = None
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()

    def start(self, parameters: dict[str, Any]) -> None:
        """Begin to ask, with the connection parameters of psycopg; without effect while it asks."""
        with self._lock:
            if self._parameters is None:
                self._answered = time.monotonic()
                self._parameters = parameters
            if self._thread is None:
                self._thread = repeat_forever("postgres-pulse", self._ask)

    def rest(self) -> None:
        """Ask nothing, and soon hold no connection, until the next start."""
        with self._lock:
            self._parameters = None

    @property
    def silent(self) -> bool:
        return self._parameters is not None and time.monotonic() - self._answered > SILENT_SECONDS

    def _ask(self) -> None:
        parameters = self._parameters
        try:
            if parameters is None:
                self._let_go()
            else:
                if self._connection is None:
                    self._connection = _PulseConnection.connect(**parameters, autocommit=True)
                self._connection.execute("SELECT 1")
                self._answered = time.monotonic()
        except psycopg.Error as error:
            if self._connection is not None:
                logger.warning("postgres does not answer: %s", type(error).__name__)
                self._let_go()
                self.generation += 1
        time.sleep(_PERIOD_SECONDS)

    def _let_go(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


class _PulseConnection(psycopg.Connection[Any]):
    def wait(self, gen: Any, interval: float = 0.1, timeout: float | None = None) -> Any:
        until = time.monotonic() + SILENT_SECONDS
        return super().wait(bounded(gen, lambda: time.monotonic() > until), interval, timeout)


pulse = Pulse()
"""The pulse of this process."""
