"""The partitions of the vectors, one for each model version.

A partition is attached and detached in the ways that do not stop readers and writers of the other partitions.
"""

from embeddings_app.records.sql import execute, row, rows

_PREFIX = "embedding_vector_v"
_PAGE_BYTES = 8_160
"""What a page holds of rows with their pointers."""
_ROW_BYTES = 52
"""Of a row of the vectors, without the vector: headers, pointer, keys and revision."""
_MOST_WASTED = 0.25
"""Of a page. Vectors outside of their rows waste about as much: two pieces of most sizes leave a rest."""


def vector_partition(version_key: int) -> str:
    """Name of the partition that holds the vectors of one version."""
    return f"{_PREFIX}{version_key:d}"


def has_vector_partition(version_key: int) -> bool:
    (found,) = row("SELECT to_regclass(%s) IS NOT NULL", [vector_partition(version_key)])
    return bool(found)


def versions_with_partition() -> set[int]:
    """Keys of the versions that have a partition, be it attached or not."""
    found = rows(
        "SELECT relname FROM pg_class WHERE relkind = 'r' AND relname ~ %s AND pg_table_is_visible(oid)",
        [rf"^{_PREFIX}[0-9]+$"],
    )
    return {int(name.removeprefix(_PREFIX)) for (name,) in found}


def create_vector_partition(version_key: int, dimension: int) -> None:
    """The partition that holds the vectors of one version; dropping it is how a version is retired."""
    if has_vector_partition(version_key):
        return
    name = vector_partition(version_key)
    # CREATE ... PARTITION OF would wait for every reader of the table, and ATTACH does not.
    execute(f"CREATE TABLE {name} (LIKE embedding_vector INCLUDING ALL)")
    if pays_in_line(dimension):
        execute(f"ALTER TABLE {name} ALTER COLUMN vector SET STORAGE MAIN, SET (toast_tuple_target = {_PAGE_BYTES})")
    execute(f"ALTER TABLE embedding_vector ATTACH PARTITION {name} FOR VALUES IN ({version_key:d})")


def pays_in_line(dimension: int) -> bool:
    """Whether vectors of the dimension had better stay in their rows, where Postgres by itself would cut them into
    pieces of 2 KB in another table: they are then written in less time, and read in a fraction of it. They stay outside
    where few would fill the pages badly."""
    row = _ROW_BYTES + 4 * dimension
    return row <= _PAGE_BYTES and _PAGE_BYTES % row <= _MOST_WASTED * _PAGE_BYTES


def drop_vector_partition(version_key: int) -> None:
    """Remove the partition of a version that nobody writes to. Must run outside of a transaction."""
    name = vector_partition(version_key)
    attached = row("SELECT inhdetachpending FROM pg_inherits WHERE inhrelid = to_regclass(%s)", [name])
    if attached:
        # An earlier call may have ended between the two parts of a concurrent detach.
        how = "FINALIZE" if attached[0] else "CONCURRENTLY"
        execute(f"ALTER TABLE embedding_vector DETACH PARTITION {name} {how}")
    execute(f"DROP TABLE IF EXISTS {name}")
