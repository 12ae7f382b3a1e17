"""JSON lines, plain or compressed: one object a line."""

import zlib
from collections.abc import Iterator
from typing import IO, Any

import pyarrow as pa

from bulk_ingest.sources.opening import unpacked
from bulk_ingest.sources.raw import BATCH_ROWS, Columns, InputFile, RawBatch, SourceError
from embedding_project.contracts.errors import InvalidRequest
from embedding_project.contracts.limits import MAX_BODY_BYTES
from embeddings_app.api.strict_json import strict_loads

MAX_LINE_BYTES = MAX_BODY_BYTES
"""No request could have brought more."""
_MARK = b"\xef\xbb\xbf"
_PIECE = 1 << 20


def read(source: InputFile, columns: Columns) -> Iterator[RawBatch]:
    """Raises SourceError."""
    rows: list[tuple[int, Any, str]] = []
    for number, line in _lines(source):
        rows.append((number, *_parsed(line)))
        if len(rows) == BATCH_ROWS:
            yield _batch(rows, columns)
            rows = []
    if rows:
        yield _batch(rows, columns)


def look_through(source: InputFile, columns: Columns, wanted: int) -> tuple[int, int, list[str]]:
    """Lines, their bytes, and about so many ids of all over the file. Reads it whole. Raises SourceError."""
    ids: list[str] = []
    step, rows, size = 1, 0, 0
    for number, line in _lines(source):
        rows += 1
        size += len(line or b"")
        if number % step == 0:
            value, _ = _parsed(line)
            doc_id = value.get(columns.doc_id)
            if isinstance(doc_id, str):
                ids.append(doc_id)
        if len(ids) >= 2 * wanted:
            ids, step = ids[::2], 2 * step
    return rows, size, ids


def _parsed(line: bytes | None) -> tuple[dict[str, Any], str]:
    """The object of a line, and what is wrong with it as an error code."""
    if line is None:
        return {}, "invalid_value"
    try:
        value = strict_loads(line)
    except InvalidRequest as error:
        return {}, error.code
    return (value, "") if isinstance(value, dict) else ({}, "invalid_type")


def _batch(rows: list[tuple[int, Any, str]], columns: Columns) -> RawBatch:
    values = [value for _, value, _ in rows]
    return RawBatch(
        first_row=rows[0][0],
        doc_ids=[value.get(columns.doc_id) for value in values],
        texts=[value.get(columns.text) for value in values],
        vectors=[value.get(columns.vector) for value in values] if columns.vector is not None else [],
        metadata=[value.get(columns.metadata) for value in values],
        faults={place: fault for place, (_, _, fault) in enumerate(rows) if fault},
        numbers=[number for number, _, _ in rows],
    )


def _lines(source: InputFile) -> Iterator[tuple[int, bytes | None]]:
    """Number and content of each line that is not blank; None for one that is too long. The last may lack its end."""
    number = 0
    try:
        with unpacked(source) as file:
            while line := file.readline(MAX_LINE_BYTES + 1):
                number += 1
                whole = len(line) <= MAX_LINE_BYTES
                if not whole and not line.endswith(b"\n"):
                    _skip_line(file)
                line = line.removeprefix(_MARK) if number == 1 else line
                if line.strip():
                    yield number, line if whole else None
    except (OSError, EOFError, zlib.error, pa.ArrowException) as error:
        raise SourceError(f"{source.path}: damaged after line {number}: {error}") from error


def _skip_line(file: IO[bytes]) -> None:
    while (piece := file.readline(_PIECE)) and not piece.endswith(b"\n"):
        pass
