"""Whole tables out of the database and into it, as binary COPY: for backup and restore, inside their transactions.

Which tables there are follows from the models, so that a new one is in the next backup without a word here.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

from django.db import OperationalError, connection
from django.db.migrations.recorder import MigrationRecorder
from psycopg import errors, sql

from embeddings_app.records.sql import execute, row, rows

EPHEMERAL = ("django_session", "hot_texts", "lease", "search_sample", "shard_replica")
"""Not copied, and emptied by a restore: sessions are live credentials, leases belong to processes that run now, queries
and searches of clients are to be gone after some days, and replicas report again what they hold."""
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
    execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
    # In this order: a snapshot from before a restore's TRUNCATE would find tables empty.
    _lock_all("ACCESS SHARE")


def begin_replacement() -> None:
    """Keep everybody else out of every table until the transaction ends. Raises TablesBusy."""
    _lock_all("ACCESS EXCLUSIVE")


def _lock_all(mode: LockMode) -> None:
    others = sorted({*copied_tables(), *EPHEMERAL, _VECTORS} - {_LOCKED_FIRST})
    try:
        execute(_LIMITS)
        execute(sql.SQL("LOCK TABLE {} IN {} MODE").format(_listed([_LOCKED_FIRST, *others]), sql.SQL(mode)))
    except OperationalError as error:
        if isinstance(error.__cause__, errors.LockNotAvailable | errors.DeadlockDetected):
            raise TablesBusy from error
        raise


def copied_tables() -> list[str]:
    """Every table of the service but the vectors, which are copied by partition, and the ephemeral ones."""
    return sorted(set(connection.introspection.django_table_names()) - set(EPHEMERAL))


def vector_partitions() -> dict[int, str]:
    """Version key -> name of its partition of the vectors."""
    query = "SELECT relname FROM pg_inherits JOIN pg_class ON oid = inhrelid WHERE inhparent = %s::regclass ORDER BY 1"
    matches = [_PARTITION.fullmatch(name) for (name,) in rows(query, [_VECTORS])]
    return {int(match[1]): match[0] for match in matches if match}


def columns(table: str) -> list[str]:
    with connection.cursor() as cursor:
        return [column.name for column in connection.introspection.get_table_description(cursor, table)]


def copy_out(table: str, names: Sequence[str], write: Callable[[bytes], None]) -> int:
    """Hand the table to `write`, piece by piece; the number of its rows."""
    statement = sql.SQL("COPY {} ({}) TO STDOUT (FORMAT binary)").format(sql.Identifier(table), _listed(names))
    with connection.wrap_database_errors, connection.cursor() as cursor:
        with cursor.copy(statement) as copy:
            for block in copy:
                write(bytes(block))
        return int(cursor.rowcount)


def size_on_disk(tables: Iterable[str]) -> int:
    """Bytes of the rows, without indexes: about what their copies will take."""
    query = "SELECT coalesce(sum(pg_table_size(name::regclass)), 0)::bigint FROM unnest(%s::text[]) AS name"
    return int(row(query, [list(tables)])[0])


def copy_in(table: str, names: Sequence[str], blocks: Iterable[bytes]) -> int:
    """Add the rows that `blocks` hold to the table; their number."""
    statement = sql.SQL("COPY {} ({}) FROM STDIN (FORMAT binary)").format(sql.Identifier(table), _listed(names))
    with connection.wrap_database_errors, connection.cursor() as cursor:
        with cursor.copy(statement) as copy:
            for block in blocks:
                copy.write(block)
        return int(cursor.rowcount)


def _listed(names: Iterable[str]) -> sql.Composed:
    return sql.SQL(", ").join(map(sql.Identifier, names))


def empty_all() -> None:
    """Remove every row of the service's tables, and the partitions of the vectors."""
    execute(sql.SQL("TRUNCATE {}").format(_listed([*copied_tables(), *EPHEMERAL, _VECTORS])))
    for partition in vector_partitions().values():
        execute(sql.SQL("DROP TABLE {}").format(sql.Identifier(partition)))


@contextmanager
def references_checked_at_end() -> Iterator[None]:
    """Drop the foreign keys and make them again: one join each, where checks by row would fill the server's memory."""
    references = rows(
        """
        SELECT c.relname, k.conname, pg_get_constraintdef(k.oid)
        FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid
        WHERE k.contype = 'f' AND c.relname = ANY(%s) AND c.relnamespace = current_schema()::regnamespace
        """,
        [copied_tables()],
    )
    for table, name, _ in references:
        drop = sql.SQL("ALTER TABLE {} DROP CONSTRAINT {}")
        execute(drop.format(sql.Identifier(table), sql.Identifier(name)))
    yield
    for table, name, definition in references:
        add = sql.SQL("ALTER TABLE {} ADD CONSTRAINT {} {}")
        execute(add.format(sql.Identifier(table), sql.Identifier(name), sql.SQL(definition)))


def analyze(tables: Iterable[str]) -> None:
    """Let the planner know the tables as they are now."""
    execute(sql.SQL("ANALYZE {}").format(_listed(tables)))


def key_sequences() -> list[KeySequence]:
    """Where each table's next key comes from."""
    found = []
    for entry in connection.introspection.sequence_list():
        (last_value,) = row(sql.SQL("SELECT last_value FROM {}").format(sql.Identifier(entry["name"])))
        found.append(KeySequence(entry["table"], entry["column"], last_value))
    return found


def advance_sequences(reached: Iterable[KeySequence]) -> None:
    """Let new keys follow those given and every key that this database gave out: no key may mean two things."""
    behind = {(entry.table, entry.column): entry.last_value for entry in reached}
    for own in key_sequences():
        last = max(own.last_value, behind.get((own.table, own.column), 1))
        execute("SELECT setval(pg_get_serial_sequence(quote_ident(%s), %s), %s)", [own.table, own.column, last])


def applied_migrations() -> list[str]:
    """The migrations that made the tables what they are, as app.name."""
    return sorted(f"{app}.{name}" for app, name in MigrationRecorder(connection).applied_migrations())


def server_version() -> str:
    return str(row("SHOW server_version")[0])
