"""Parquet files: columns by name, row group by row group."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from bulk_ingest.sources.objects import is_object
from bulk_ingest.sources.opening import opened
from bulk_ingest.sources.raw import BATCH_ROWS, Columns, InputFile, RawBatch, SourceError, Vectors

_SAMPLED_GROUPS = 16


def size(source: InputFile, columns: Columns) -> tuple[int, int]:
    """Rows, and their bytes once they are not compressed, from the footer. Raises SourceError, also when the file has
    no column of ids, or none of vectors or of the texts that are to be embedded."""
    with _opened(source) as file:
        _check_columns(source.path, file.schema_arrow, columns)
        groups = map(file.metadata.row_group, range(file.metadata.num_row_groups))
        return int(file.metadata.num_rows), sum(group.total_byte_size for group in groups)


def sample_ids(source: InputFile, columns: Columns, wanted: int) -> list[str]:
    """About so many ids, from row groups all over the file. Raises SourceError."""
    with _opened(source) as file:
        groups = file.metadata.num_row_groups
        if not groups:
            return []
        picked = sorted({round(place * (groups - 1) / _SAMPLED_GROUPS) for place in range(_SAMPLED_GROUPS + 1)})
        found = []
        for group in picked:
            ids = _read_ids(source.path, file, group, columns)
            step = max(1, len(ids) * len(picked) // wanted)
            found += [doc_id for doc_id in ids[::step] if isinstance(doc_id, str)]
        return found


def parts(source: InputFile, part_rows: int) -> list[tuple[int, int]]:
    """Ranges of row groups with about so many rows each; one for a file without rows. Raises SourceError."""
    with _opened(source) as file:
        found, first, rows = [], 0, 0
        for group in range(file.metadata.num_row_groups):
            rows += file.metadata.row_group(group).num_rows
            if rows >= part_rows:
                found.append((first, group + 1))
                first, rows = group + 1, 0
        return [*found, (first, file.metadata.num_row_groups)] if rows or not found else found


def read(source: InputFile, columns: Columns) -> Iterator[RawBatch]:
    """The rows of its row groups, or of all. Raises SourceError."""
    with _opened(source) as file:
        names = _check_columns(source.path, file.schema_arrow, columns)
        start, end = source.groups or (0, file.metadata.num_row_groups)
        first_row = 1 + sum(file.metadata.row_group(group).num_rows for group in range(start))
        picked = list(range(start, end))
        try:
            for batch in file.iter_batches(BATCH_ROWS, row_groups=picked, columns=names, use_threads=False):
                yield _raw(batch, columns, first_row)
                first_row += batch.num_rows
        except (pa.ArrowException, OSError) as error:
            raise SourceError(f"{source.path}: damaged after row {first_row - 1}: {error}") from error


@contextmanager
def _opened(source: InputFile) -> Iterator[pq.ParquetFile]:
    if not is_object(source.path):
        with _parquet(source.path, source.path, memory_map=True) as file:
            yield file
        return
    with opened(source) as stored, _parquet(source.path, stored) as file:
        yield file


def _parquet(path: str, source: Any, **options: Any) -> pq.ParquetFile:
    try:
        return pq.ParquetFile(source, **options)
    except (pa.ArrowException, OSError) as error:
        raise SourceError(f"{path}: no Parquet: {error}") from error


def _check_columns(path: str, schema: pa.Schema, columns: Columns) -> list[str]:
    needed = (columns.doc_id, columns.text if columns.vector is None else columns.vector)
    missing = [name for name in needed if name not in schema.names]
    if missing:
        raise SourceError(f"{path}: no column {', '.join(missing)}; it has {', '.join(schema.names)}")
    read = (columns.doc_id, columns.text, columns.vector, columns.metadata)
    return [name for name in read if name is not None and name in schema.names]


def _read_ids(path: str, file: pq.ParquetFile, group: int, columns: Columns) -> Sequence[Any]:
    try:
        ids: list[Any] = file.read_row_group(group, columns=[columns.doc_id], use_threads=False)[0].to_pylist()
    except (pa.ArrowException, OSError) as error:
        raise SourceError(f"{path}: damaged in row group {group}: {error}") from error
    return ids


def _raw(batch: pa.RecordBatch, columns: Columns, first_row: int) -> RawBatch:
    absent = [None] * batch.num_rows

    def values(name: str) -> Sequence[Any]:
        return batch.column(name).to_pylist() if name in batch.schema.names else absent

    return RawBatch(
        first_row=first_row,
        doc_ids=values(columns.doc_id),
        texts=values(columns.text),
        vectors=[] if columns.vector is None else _vectors(batch.column(columns.vector)),
        metadata=values(columns.metadata),
        faults={},
    )


def _vectors(column: pa.Array) -> Vectors:
    """A matrix where all vectors have one length: no number becomes an object."""
    width = _width(column)
    if width is not None:
        numbers = column.flatten()
        if not numbers.null_count and pa.types.is_floating(numbers.type):
            matrix: Vectors = numbers.to_numpy(zero_copy_only=False).reshape(len(column), width)
            return matrix
    values: Sequence[Any] = column.to_pylist()
    return values


def _width(column: pa.Array) -> int | None:
    """The length of all vectors; None where there is none, or a null."""
    kind = column.type
    if column.null_count or not len(column):
        return None
    if pa.types.is_fixed_size_list(kind):
        return int(kind.list_size)
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        lengths = np.diff(column.offsets.to_numpy())
        return int(lengths[0]) if (lengths == lengths[0]).all() else None
    return None
