"""The connections of a process: a thread has one during a request, then it is there for others.

Requests that come all at once would each open one, which costs Postgres a process and a password check: a busy server
then answers none of them in time. So few are opened at a time, and a thread that waits takes the first that is free.
"""

import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

import psycopg

from embedding_project.threads.turns import Turns, request_turns

OPENED_AT_ONCE = 4
_WAIT_SECONDS = 4.0
Connection = TypeVar("Connection")


class ConnectionPool(Generic[Connection]):
    """Safe for many threads. Holds as many as threads ever needed at the same time."""

    def __init__(self, wait_seconds: float = _WAIT_SECONDS, turns: Turns = request_turns) -> None:
        self._idle: list[Connection] = []
        self._opening = 0
        self._changed = threading.Condition()
        self._wait_seconds = wait_seconds
        self._turns = turns

    def take(self, connect: Callable[[], Connection]) -> Connection:
        """The connection that was given back last, or a new one. Raises psycopg.OperationalError."""
        with self._changed:
            if self._idle:
                return self._idle.pop()
        with self._turns.away():
            idle = self._idle_or_leave_to_open()
            if idle is not None:
                return idle
            try:
                return connect()
            finally:
                with self._changed:
                    self._opening -= 1
                    self._changed.notify()

    def give(self, connection: Connection) -> None:
        """Leave it to others."""
        with self._changed:
            self._idle.append(connection)
            self._changed.notify()

    def _idle_or_leave_to_open(self) -> Connection | None:
        until = time.monotonic() + self._wait_seconds
        with self._changed:
            while not self._idle and self._opening >= OPENED_AT_ONCE:
                if not self._changed.wait(until - time.monotonic()):
                    raise psycopg.OperationalError("no connection in time")
            if self._idle:
                return self._idle.pop()
            self._opening += 1
            return None
