"""Walks over the documents of a namespace, in the order of their ids, a window of rows at a time.

A statement reads the rows of one window, however few of them pass the filter: no walk holds Postgres for long, and
whoever walks can stop between two windows. A walk by id leaves out no document that lives all the time, and shows none
twice.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from embedding_project.contracts.census import Value, scalars_of
from embedding_project.contracts.filters import Filter, matches
from embedding_project.contracts.metadata import flatten, stored_metadata
from embeddings_app.records.filter_sql import EVERY_ROW, narrowing
from embeddings_app.records.sql import rows

WINDOW_ROWS = 10_000
MOST_LISTED_AT_ONCE = 1_000
"""Documents with their metadata that one statement returns."""


# Multiplied by an odd number, keys that follow each other lie far apart. The same in SQL and in Python.
_KEYS, _FACTOR, _PLACES = 2**31, 2_654_435_761, 2**32
_SHUFFLED = f"((id %% {_KEYS}) * {_FACTOR} %% {_PLACES})"


@dataclass(frozen=True, slots=True)
class Passed:
    """A document that passes the filter of the walk."""

    key: int
    doc_id: str
    metadata: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Window:
    """What one step of a walk found."""

    passed: tuple[Passed, ...]
    last: str | None
    """The id up to which the walk has come; None at its end."""


@dataclass(frozen=True, slots=True)
class Counted:
    """How many documents of one window pass."""

    count: int
    last: str | None
    """As in Window."""


@dataclass(frozen=True, slots=True)
class Drawn:
    """Documents of one window that pass, those that come first in the shuffled order."""

    drawn: tuple[tuple[int, int], ...]
    """(Place in the order, key)."""
    passed: int
    """How many of the window pass at least; more than were drawn only if there are more."""
    last: str | None
    """As in Window."""


@dataclass(frozen=True, slots=True)
class Walk:
    namespace_key: int
    filter: Filter | None
    descending: bool = False
    window: int = WINDOW_ROWS

    def step(self, after: str | None, most: int) -> Window:
        """The next documents that pass, after the id `after`: at most `most`, and those of one window of rows."""
        narrowed = narrowing(self.filter)
        # Of rows that Postgres alone cannot judge, those that fail are found out here, so more of them are read.
        limit = min(most, MOST_LISTED_AT_ONCE) if narrowed.exact else MOST_LISTED_AT_ONCE
        # Where Postgres lets every row pass, it need not read more of them.
        window = min(limit, self.window) if narrowed.sql == EVERY_ROW else self.window
        found = self._read(
            f"SELECT id, doc_id, metadata::text FROM w WHERE {narrowed.sql} ORDER BY doc_id {self._order} LIMIT %s",
            after,
            [*narrowed.parameters, limit],
            window,
        )
        (_, last, rows_read), *listed = found
        passing = (Passed(key, doc_id, stored_metadata(metadata)) for key, doc_id, metadata in listed)
        passed = tuple(one for one in passing if narrowed.exact or self._matches(one))
        if len(passed) > most:
            return Window(passed[:most], passed[most - 1].doc_id)
        if len(listed) == limit:
            return Window(passed, listed[-1][1])
        return Window(passed, last if int(rows_read) == window else None)

    def draw(self, after: str | None, most: int) -> Drawn:
        """Of the next window of rows the documents that pass, at most `most`: the first in an order that shuffles
        documents, and is always the same."""
        narrowed = narrowing(self.filter)
        if not narrowed.exact:
            found = self.step(after, MOST_LISTED_AT_ONCE)
            drawn = sorted((_shuffled(one.key), one.key) for one in found.passed)
            return Drawn(tuple(drawn[:most]), len(drawn), found.last)
        (_, last, rows_read), *listed = self._read(
            f"SELECT id, NULL, {_SHUFFLED}::text FROM w WHERE {narrowed.sql} ORDER BY {_SHUFFLED}, id LIMIT %s",
            after,
            [*narrowed.parameters, most + 1],
            self.window,
        )
        drawn = [(int(place), key) for key, _, place in listed]
        return Drawn(tuple(drawn[:most]), len(drawn), last if int(rows_read) == self.window else None)

    def count(self, after: str | None) -> Counted:
        """How many documents of the next window of rows pass."""
        narrowed = narrowing(self.filter)
        if not narrowed.exact:
            found = self.step(after, MOST_LISTED_AT_ONCE)
            return Counted(len(found.passed), found.last)
        (_, last, rows_read), (count, _, _) = self._read(
            f"SELECT count(*), NULL, NULL FROM w WHERE {narrowed.sql}", after, narrowed.parameters, self.window
        )
        return Counted(count, last if int(rows_read) == self.window else None)

    def values(self, after: str | None, path: str) -> tuple[Counter[tuple[str, Value]], str | None]:
        """(Type, value) -> documents of the next window that pass and have the value at the dotted path `path`, alone
        or in a list; and the id up to which the walk has come, None at its end."""
        counts: Counter[tuple[str, Value]] = Counter()
        narrowed = narrowing(self.filter)
        if not narrowed.exact or "." in path:
            window = self.step(after, MOST_LISTED_AT_ONCE)
            for one in window.passed:
                counts.update(scalars_of(flatten(one.metadata).get(path)))
            return counts, window.last
        (_, last, rows_read), *groups = self._read(
            f"""
            SELECT count(*), (metadata -> %s)::text AS value, NULL FROM w
            WHERE {narrowed.sql} AND metadata -> %s IS NOT NULL GROUP BY 2
            """,
            after,
            [path, *narrowed.parameters, path],
            self.window,
        )
        for count, value, _ in groups:
            for scalar in scalars_of(flatten(stored_metadata(f'{{"value": {value}}}')).get("value")):
                counts[scalar] += count
        return counts, last if int(rows_read) == self.window else None

    def _matches(self, one: Passed) -> bool:
        return self.filter is None or matches(self.filter, flatten(one.metadata))

    @property
    def _order(self) -> str:
        return "DESC" if self.descending else "ASC"

    def _read(self, query: str, after: str | None, parameters: Sequence[Any], window: int) -> list[Any]:
        """The rows of `query` over the window `w`; before them one with the last id of the window and its number of
        rows."""
        sign = "<" if self.descending else ">"
        start = f"AND doc_id {sign} %s" if after is not None else ""
        return rows(
            f"""
            WITH w AS MATERIALIZED (
                SELECT id, doc_id, metadata FROM document WHERE namespace_id = %s AND NOT deleted {start}
                AND (expires_at IS NULL OR expires_at > now())
                ORDER BY doc_id {self._order} LIMIT %s
            )
            SELECT 0::bigint, (SELECT doc_id FROM w ORDER BY doc_id {_opposite(self._order)} LIMIT 1),
                   (SELECT count(*) FROM w)::text
            UNION ALL (SELECT * FROM ({query}) AS q)
            """,
            [self.namespace_key, *([] if after is None else [after]), window, *parameters],
        )


def _shuffled(key: int) -> int:
    return (key % _KEYS) * _FACTOR % _PLACES


def _opposite(order: str) -> str:
    return "ASC" if order == "DESC" else "DESC"
