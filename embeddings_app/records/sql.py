"""Statements on the database connection of this thread, one at a time."""

from collections.abc import Mapping, Sequence
from typing import Any

import psycopg
from django.db import connection
from psycopg import sql

Parameters = Sequence[Any] | Mapping[str, Any]


def execute(statement: str | sql.Composed, parameters: Parameters | None = None) -> int:
    """Run the statement; gives the number of rows that it changed."""
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        changed: int = cursor.rowcount
    return changed


def rows(query: str | sql.Composed, parameters: Parameters | None = None) -> list[Any]:
    """Run the query or the RETURNING statement; gives its rows."""
    with connection.cursor() as cursor:
        cursor.execute(query, parameters)
        found: list[Any] = cursor.fetchall()
    return found


def prepared_rows(query: str, parameters: Parameters, *, binary: bool = False) -> list[Any]:
    """Like `rows`, for a query that takes no longer than its plan would: the server prepares it once a connection.

    Its text must be one of few, and name the types that the server cannot tell. `binary`: bytes as they are.
    """
    connection.ensure_connection()
    # Past the layers that write parameters into the text. Django must still hear of errors, or it would keep a broken
    # connection.
    with connection.wrap_database_errors, psycopg.Cursor(connection.connection) as cursor:
        cursor.execute(query.encode(), parameters, prepare=True, binary=binary)
        return cursor.fetchall()


def row(query: str | sql.Composed, parameters: Parameters | None = None) -> Any:
    """Run the query; gives its first row, None when there is none."""
    return next(iter(rows(query, parameters)), None)
