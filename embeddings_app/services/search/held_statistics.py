"""How frequent words are, held for a while: read beside the searches that ask for it, in time of its own.

A large namespace on a slow disk may take longer than a search. So a search waits for a part of its time, and else does
with older statistics, or with none.
"""

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass

from django.db import DatabaseError, OperationalError, close_old_connections
from psycopg import errors

from embedding_project.threads.turns import request_turns
from embeddings_app.database.patience import answered_by
from embeddings_app.records.word_statistics import NO_STATISTICS, WordStatistics, small_statistics, word_statistics


@dataclass(frozen=True, slots=True)
class Way:
    """One of several ways to read statistics, the best first."""

    read: Callable[[int], WordStatistics]
    seconds: float
    """Then the next way is tried."""


WAYS = (Way(word_statistics, 5.0), Way(small_statistics, 3.0))
_FRESH_SECONDS = 60.0
_MOST_HELD = 64
_READ_AT_ONCE = 2
"""Namespaces; each takes a connection to Postgres."""


@dataclass(frozen=True, slots=True)
class _Held:
    statistics: WordStatistics
    fresh_until: float


class HeldStatistics:
    """Safe for many threads."""

    def __init__(self, ways: Sequence[Way] = WAYS, fresh_seconds: float = _FRESH_SECONDS) -> None:
        self._ways = ways
        self._fresh_seconds = fresh_seconds
        self._guard = threading.Lock()
        self._free = threading.Semaphore(_READ_AT_ONCE)
        self._held: dict[int, _Held] = {}
        self._readings: dict[int, Future[WordStatistics]] = {}

    def of(self, namespace_key: int, seconds: float) -> WordStatistics:
        """Waits for new ones for `seconds` at most. While one caller does, the others get the old ones at once."""
        with self._guard:
            held, reading = self._held.get(namespace_key), self._readings.get(namespace_key)
            if held and (reading or held.fresh_until > time.monotonic()):
                return held.statistics
            if reading is None and len(self._readings) < _MOST_HELD:
                reading = self._begin(namespace_key)
        try:
            if reading:
                with request_turns.away():
                    return reading.result(max(seconds, 0.0))
        except (TimeoutError, DatabaseError):
            # Whether Postgres is away is found out by what the search asks next.
            pass
        return held.statistics if held else NO_STATISTICS

    def clear(self) -> None:
        with self._guard:
            # What is being read is for those that wait for it, and is not held.
            self._held, self._readings = {}, {}

    def _begin(self, namespace_key: int) -> "Future[WordStatistics]":
        reading: Future[WordStatistics] = Future()
        arguments = namespace_key, reading, self._held, self._readings
        threading.Thread(target=self._read, args=arguments, name="word-statistics", daemon=True).start()
        # The thread takes it out once it has the guard, which the caller holds.
        self._readings[namespace_key] = reading
        return reading

    def _read(
        self,
        namespace_key: int,
        reading: "Future[WordStatistics]",
        held: dict[int, _Held],
        readings: "dict[int, Future[WordStatistics]]",
    ) -> None:
        try:
            with self._free, request_turns.turn():
                found = self._first_in_time(namespace_key)
        except BaseException as error:  # noqa: BLE001 those that wait raise it
            with self._guard:
                del readings[namespace_key]
            reading.set_exception(error)
            return
        with self._guard:
            before = held.get(namespace_key)
            found = found or (before.statistics if before else NO_STATISTICS)
            if len(held) >= _MOST_HELD:
                held.clear()
            # Documents may come to an empty namespace at any moment, and until then there is nothing to read.
            seconds = self._fresh_seconds if found.documents else 0.0
            held[namespace_key] = _Held(found, time.monotonic() + seconds)
            del readings[namespace_key]
        reading.set_result(found)

    def _first_in_time(self, namespace_key: int) -> WordStatistics | None:
        try:
            for way in self._ways:
                try:
                    with answered_by(time.monotonic() + way.seconds):
                        return way.read(namespace_key)
                except OperationalError as error:
                    if not isinstance(error.__cause__, errors.QueryCanceled):
                        raise
            return None
        finally:
            close_old_connections()
