"""How many shards need nodes: those of all layouts that live, which SHARDS does not know while documents move."""

import time
from collections.abc import Callable

import psycopg

_LOOK_SECONDS = 2.0
_CONNECT_SECONDS = 1
_QUERY = "SELECT coalesce(max(shards), 0) FROM layout WHERE status <> 'retired'"


class LiveShards:
    """Asks Postgres now and then. What it said last counts while it is away."""

    def __init__(self, database_url: str, shards: int, clock: Callable[[], float] = time.monotonic) -> None:
        """`shards`: so many need nodes until Postgres knows layouts."""
        self._url = database_url
        self._found = shards
        self._clock = clock
        self._ask_at = clock()

    def count(self) -> int:
        if self._clock() >= self._ask_at:
            self._ask_at = self._clock() + _LOOK_SECONDS
            self._found = self._asked() or self._found
        return self._found

    def _asked(self) -> int:
        try:
            with psycopg.connect(
                self._url, connect_timeout=_CONNECT_SECONDS, options="-c statement_timeout=1000"
            ) as connection:
                row = connection.execute(_QUERY).fetchone()
        except psycopg.Error:
            return self._found
        return int(row[0]) if row else self._found
