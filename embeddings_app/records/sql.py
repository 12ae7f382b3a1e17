"""Statements on the database connection of this thread, one at a time."""

from collections.abc import Mapping, Sequence
from typing import Any

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


def row(query: str | sql.Composed, parameters: Parameters | None = None) -> Any:
    """Run the query; gives its first row, None when there is none."""
    return next(iter(rows(query, parameters)), None)
