"""Which of several beats sends: the one that holds a lease in Postgres. The others stand by.

A beat believes in its lease for less time than Postgres does, and counts that time from before it asked. So a beat that
cannot reach Postgres, or was frozen, stops before another one begins.
"""

import logging
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from django.db import Error as DatabaseError

from embeddings_app.database.fault_names import fault_name
from embeddings_app.records import leases

LEASE_SECONDS = 6.0
RENEW_SECONDS = 2.0
STANDBY_SECONDS = 1.0
"""Between two tries of a beat that stands by."""
_TRUST_SECONDS = LEASE_SECONDS - 1.0
_NAME = "beat"
logger = logging.getLogger(__name__)


class Book(Protocol):
    """Where the lease is written down."""

    def take(self, holder: str) -> bool:
        """Take or renew it; False while another beat has it. Raises django.db.Error."""

    def give_back(self, holder: str) -> None: ...


@dataclass(frozen=True, slots=True)
class PostgresBook:
    def take(self, holder: str) -> bool:
        return leases.take(_NAME, holder, LEASE_SECONDS) is not None

    def give_back(self, holder: str) -> None:
        leases.give_back(_NAME, holder)


class BeatLease:
    """Of one beat process, used by one thread."""

    def __init__(self, holder: str, book: Book, clock: Callable[[], float] = time.monotonic) -> None:
        self._holder = holder
        self._book = book
        self._clock = clock
        self._asked_at = self._trusted_until = -math.inf

    @property
    def is_held(self) -> bool:
        """Whether this beat may send now."""
        return self._clock() < self._trusted_until

    def keep(self) -> bool:
        """Take or renew the lease when that is due; whether this beat may send now."""
        now = self._clock()
        if now - self._asked_at < (RENEW_SECONDS if self.is_held else STANDBY_SECONDS):
            return self.is_held
        self._asked_at = now
        try:
            taken = self._book.take(self._holder)
        except DatabaseError as error:
            logger.warning("beat cannot ask for its lease: %s", fault_name(error))
        else:
            self._trusted_until = now + _TRUST_SECONDS if taken else -math.inf
        return self.is_held

    def give_back(self) -> None:
        """Let another beat send at once."""
        self._trusted_until = -math.inf
        try:
            self._book.give_back(self._holder)
        except DatabaseError as error:
            logger.warning("beat cannot give its lease back: %s", fault_name(error))
