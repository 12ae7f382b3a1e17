"""The rows of a table with a column of pgvector, or of arrays of numbers, in the order of their ids."""

import json
import math
from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import Any

from embsearch.migrate.carrying import LeftOut
from embsearch.migrate.moving import Row, Wanted, source_of_rows
from embsearch.upload.sources import Source

_PAGE = 256


def pgvector_rows(place: str, table: str, wanted: Wanted, id_column: str = "id") -> Source:
    """`place` is the address of the database, `table` may name its schema. All other columns are metadata; an object in
    a column of JSON stays one. Raises ValueError, and what psycopg raises."""
    psycopg, sql = import_module("psycopg"), import_module("psycopg.sql")
    vector = wanted.vector or "embedding"
    name = sql.Identifier(*table.split("."))
    with psycopg.connect(place) as connection:
        columns = _columns(connection, sql, name)
        for column in (id_column, wanted.text, *([vector] if wanted.vectors else [])):
            if column not in columns:
                raise ValueError(f"{table} has no column {column!r}, only {', '.join(columns)}")
        if wanted.vectors and columns[vector] == "sparsevec":
            raise ValueError(f"the vectors in {vector!r} are sparse, and the service takes dense ones")
        counted = sql.SQL("SELECT count({id}), count(*) FROM {table}").format(id=sql.Identifier(id_column), table=name)
        total, rows = connection.execute(counted).fetchone()
        # Without the password, which may be another the next time, and which a checkpoint must not show.
        database = f"{connection.info.host}:{connection.info.port}/{connection.info.dbname}"
    vectors = [column for column, kind in columns.items() if kind in ("vector", "halfvec", "sparsevec")]
    for column in vectors:
        if column != vector:
            wanted.left_out.add(column, "a document has one vector")
    payload = [column for column in columns if column not in (id_column, wanted.text, vector, *vectors)]
    asked = _Asked(sql, name, id_column, wanted.text, vector if wanted.vectors else None, payload)
    if rows > total:
        wanted.left_out.counts[f"{id_column}: a row without an id"] += rows - total
    identity = {"postgres": table, "id": id_column, "database": database}
    return source_of_rows(_rows(psycopg, place, asked, wanted.left_out), wanted, total, identity)


class _Asked:
    """The statement of one page. Ids are compared by the type that they have."""

    def __init__(self, sql: Any, table: Any, id_: str, text: str, vector: str | None, payload: list[str]) -> None:
        shown = [sql.SQL("{}::text").format(sql.Identifier(column)) for column in (id_, text)]
        shown.append(_numbers(sql, vector) if vector else sql.SQL("NULL"))
        shown += map(sql.Identifier, payload)
        parts = {"shown": sql.SQL(", ").join(shown), "table": table, "id": sql.Identifier(id_)}
        # The name alone would mean the text that is shown.
        first = "SELECT {shown} FROM {table} AS t WHERE t.{id} IS NOT NULL ORDER BY t.{id} LIMIT %s"
        further = "SELECT {shown} FROM {table} AS t WHERE t.{id} > %s ORDER BY t.{id} LIMIT %s"
        self.first, self.further = (sql.SQL(one).format(**parts) for one in (first, further))
        self.payload, self.vector = payload, vector or ""


def _numbers(sql: Any, column: str) -> Any:
    """`[1,2,3]`, of a vector and of an array alike."""
    return sql.SQL("translate({}::text, '{{}}', '[]')").format(sql.Identifier(column))


def _columns(connection: Any, sql: Any, table: Any) -> Mapping[str, str]:
    cursor = connection.execute(sql.SQL("SELECT * FROM {} LIMIT 0").format(table))
    kinds = dict(connection.execute("SELECT oid, typname FROM pg_type").fetchall())
    return {column.name: kinds.get(column.type_code, "") for column in cursor.description}


def dense(told: str, column: str, left_out: LeftOut) -> list[float] | None:
    """The vector that Postgres wrote down; None for one that has no number at some place."""
    try:
        numbers = json.loads(told, parse_int=float)
    except (ValueError, RecursionError):
        numbers = None
    if isinstance(numbers, list) and all(isinstance(one, float) and math.isfinite(one) for one in numbers):
        return numbers
    left_out.add(column, "no list of finite numbers")
    return None


def _rows(psycopg: Any, place: str, asked: _Asked, left_out: LeftOut) -> Iterator[Row]:
    last: str | None = None
    with psycopg.connect(place, autocommit=True) as connection:
        while True:
            cursor = connection.execute(*((asked.first, (_PAGE,)) if last is None else (asked.further, (last, _PAGE))))
            found = cursor.fetchall()
            for row_id, text, vector, *values in found:
                numbers = None if vector is None else dense(vector, asked.vector, left_out)
                payload = dict(zip(asked.payload, values, strict=True))
                yield Row(id=row_id, text=text, vector=numbers, payload=payload)
            if len(found) < _PAGE:
                return
            last = found[-1][0]
