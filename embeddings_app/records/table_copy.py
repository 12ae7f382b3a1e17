"""Whole tables out of the database and into it, as binary COPY: for backup and restore, inside their transactions.

Which tables there are follows from the models, so that a new one is in the next backup without a word here.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

from django.db import OperationalError, connection
from django.db.migrations.recorder import MigrationRecorder
from psycopg import errors, sql

EPHEMERAL = ("django_session", "shard_replica")
"""Not copied, and emptied by a restore: sessions are live credentials, and replicas say anew what they hold."""
_VECTORS = "embedding_vector"
# Loads of index nodes read it before any other table: who locks it first does not meet them crosswise.
_LOCKED_FIRST = "log_epoch"
_PARTITION = re.compile(rf"{_VECTORS}_v(\d+)")
_LIMITS = """
SET LOCAL statement_timeout = '6h';
SET LOCAL idle_in_transaction_session_timeout = '10min';
SET LOCAL lock_timeout = '2s'
"""
LockMode = Literal["ACCESS SHARE", "ACCESS EXCLUSIVE"]


class TablesBusy(Exception):
    """Somebody else holds a table: a backup or restore, a migration, an index node that loads its shard."""


@dataclass(frozen=True, slots=True)
class KeySequence:
    """Where the keys of one column come from."""

    table: str
    column: str
    last_value: int


def begin_snapshot() -> None:
    """Lock every table against replacement, then see one moment of all of them until the transaction ends.

    Must be the transaction's first statement. Raises TablesBusy.
    """
    with connection.cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
    # In this order: a snapshot from before a restore's TRUNCATE would find tables empty.
    _lock_all("ACCESS SHARE")


def begin_replacement() -> None:
    """Keep everybody else out of every table until the transaction ends. Raises TablesBusy."""
    _lock_all("ACCESS EXCLUSIVE")


def _lock_all(mode: LockMode) -> None:
    others = sorted({*copied_tables(), *EPHEMERAL, _VECTORS} - {_LOCKED_FIRST})
    names = sql.SQL(", ").join(map(sql.Identifier, [_LOCKED_FIRST, *others]))
    try:
        with connection.cursor() as cursor:
            cursor.execute(_LIMITS)
            cursor.execute(sql.SQL("LOCK TABLE {} IN {} MODE").format(names, sql.SQL(mode)))
    except OperationalError as error:
        if isinstance(error.__cause__, errors.LockNotAvailable | errors.DeadlockDetected):
            raise TablesBusy from error
        raise


def copied_tables() -> list[str]:
    """Every table of the service but the vectors, which are copied by partition, and the ephemeral ones."""
    return sorted(set(connection.introspection.django_table_names()) - set(EPHEMERAL))


def vector_partitions() -> dict[int, str]:
    """Version key -> name of its partition of the vectors."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
            WHERE i.inhparent = %s::regclass ORDER BY c.relname
            """,
            [_VECTORS],
        )
        names = [name for (name,) in cursor.fetchall()]
    matches = {name: _PARTITION.fullmatch(name) for name in names}
    return {int(match[1]): name for name, match in matches.items() if match}


def columns(table: str) -> list[str]:
    with connection.cursor() as cursor:
        return [column.name for column in connection.introspection.get_table_description(cursor, table)]


def copy_out(table: str, names: Sequence[str], write: Callable[[bytes], None]) -> int:
    """Hand the table to `write`, piece by piece; the number of its rows."""
    with connection.wrap_database_errors, connection.cursor() as cursor:
        with cursor.copy(_copy_statement("COPY {} ({}) TO STDOUT (FORMAT binary)", table, names)) as copy:
            for block in copy:
                write(bytes(block))
        rows: int = cursor.rowcount
    return rows


def copy_in(table: str, names: Sequence[str], blocks: Iterable[bytes]) -> int:
    """Add the rows that `blocks` hold to the table; their number."""
    with connection.wrap_database_errors, connection.cursor() as cursor:
        with cursor.copy(_copy_statement("COPY {} ({}) FROM STDIN (FORMAT binary)", table, names)) as copy:
            for block in blocks:
                copy.write(block)
        rows: int = cursor.rowcount
    return rows


def _copy_statement(template: Any, table: str, names: Sequence[str]) -> sql.Composed:
    return sql.SQL(template).format(sql.Identifier(table), sql.SQL(", ").join(map(sql.Identifier, names)))


def empty_all() -> None:
    """Remove every row of the service's tables, and the partitions of the vectors."""
    names = sql.SQL(", ").join(map(sql.Identifier, [*copied_tables(), *EPHEMERAL, _VECTORS]))
    with connection.cursor() as cursor:
        cursor.execute(sql.SQL("TRUNCATE {}").format(names))
        for partition in vector_partitions().values():
            cursor.execute(sql.SQL("DROP TABLE {}").format(sql.Identifier(partition)))


@contextmanager
def references_checked_at_end() -> Iterator[None]:
    """Drop the foreign keys and make them again: one join each, where checks by row would fill the server's memory."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT c.relname, k.conname, pg_get_constraintdef(k.oid)
            FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid
            WHERE k.contype = 'f' AND c.relname = ANY(%s) AND c.relnamespace = current_schema()::regnamespace
            """,
            [copied_tables()],
        )
        references = cursor.fetchall()
        for table, name, _ in references:
            drop = sql.SQL("ALTER TABLE {} DROP CONSTRAINT {}")
            cursor.execute(drop.format(sql.Identifier(table), sql.Identifier(name)))
        yield
        for table, name, definition in references:
            add = sql.SQL("ALTER TABLE {} ADD CONSTRAINT {} {}")
            cursor.execute(add.format(sql.Identifier(table), sql.Identifier(name), sql.SQL(definition)))


def analyze(tables: Iterable[str]) -> None:
    """Let the planner know the tables as they are now."""
    with connection.cursor() as cursor:
        cursor.execute(sql.SQL("ANALYZE {}").format(sql.SQL(", ").join(map(sql.Identifier, tables))))


def key_sequences() -> list[KeySequence]:
    """Where each table's next key comes from."""
    found = []
    with connection.cursor() as cursor:
        for entry in connection.introspection.sequence_list():
            cursor.execute(sql.SQL("SELECT last_value FROM {}").format(sql.Identifier(entry["name"])))
            found.append(KeySequence(entry["table"], entry["column"], cursor.fetchone()[0]))
    return found


def advance_sequences(reached: Iterable[KeySequence]) -> None:
    """Let keys go on behind those given, and behind every key that this database gave out: none means two things."""
    behind = {(entry.table, entry.column): entry.last_value for entry in reached}
    with connection.cursor() as cursor:
        for own in key_sequences():
            last = max(own.last_value, behind.get((own.table, own.column), 1))
            cursor.execute(
                "SELECT setval(pg_get_serial_sequence(quote_ident(%s), %s), %s)", [own.table, own.column, last]
            )


def applied_migrations() -> list[str]:
    """The migrations that made the tables what they are, as app.name."""
    return sorted(f"{app}.{name}" for app, name in MigrationRecorder(connection).applied_migrations())


def server_version() -> str:
    with connection.cursor() as cursor:
        cursor.execute("SHOW server_version")
        version: str = cursor.fetchone()[0]
    return version
