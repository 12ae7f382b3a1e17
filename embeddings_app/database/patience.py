"""How long an operation on a connection may take: until the server is silent, or the time of its caller is up."""

import math
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg

from embeddings_app.database.pulse import SILENT_SECONDS, pulse

_CANCEL_SECONDS = 0.5
"""A server that lives ends a cancelled query sooner."""
_limit = threading.local()


@contextmanager
def answered_by(deadline: float) -> Iterator[None]:
    """Cancel what the block, in this thread, still asks Postgres at `deadline` (monotonic seconds).

    The query then raises QueryCanceled. For reads outside of a transaction; costs no round trip. Of blocks within each
    other, the earliest deadline counts.
    """
    outer = getattr(_limit, "deadline", math.inf)
    _limit.deadline = min(deadline, outer)
    try:
        yield
    finally:
        _limit.deadline = outer


class Patience:
    """Of one operation. The connection asks it at every pause."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self._connection = connection
        self._started = time.monotonic()
        self._until: float = getattr(_limit, "deadline", math.inf)
        self.cancelled = False
        self.given_up = False
        """Whether the operation stands half done: nobody may use the connection again."""

    @property
    def pause_seconds(self) -> float:
        """Until the deadline, when that is soon."""
        return max(self._until - self._started, 0.01)

    def is_over(self) -> bool:
        now = time.monotonic()
        if pulse.silent and now - self._started > SILENT_SECONDS:
            self.given_up = True
        elif now >= self._until and not self.cancelled:
            self.cancelled, self._until = True, now + _CANCEL_SECONDS
            self._cancel()
        elif now >= self._until:
            self.given_up = True
        return self.given_up

    def _cancel(self) -> None:
        try:
            self._connection.cancel_safe(timeout=_CANCEL_SECONDS)
        except psycopg.Error:
            self.given_up = True
