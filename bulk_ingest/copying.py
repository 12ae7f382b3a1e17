"""Rows as frames of binary COPY: tables of fixed width by structured arrays, documents by joined bytes.

Each field is its length as four bytes and its value, big-endian; a row begins with the number of its fields.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from embedding_project.contracts.limits import EMBED_BATCH_ITEMS

_HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)
_TRAILER = b"\xff\xff"
ROWS_AT_ONCE = 4_096
"""Of a block."""
_JSONB_VERSION = b"\x01"
_FIRST_REVISION = 1

DOCUMENT_COLUMNS = (
    "id", "namespace_id", "revision", "text_revision", "deleted", "shard_hash", "created_at", "updated_at",
    "content_hash", "doc_id", "text", "metadata",
)  # fmt: skip
RECORD_COLUMNS = (
    "document_id", "model_version_id", "text_revision", "content_hash", "state", "next_attempt_at", "attempts",
    "batch_limit", "last_error", "created_at",
)  # fmt: skip
VECTOR_COLUMNS = ("model_version_id", "document_id", "text_revision", "vector")


@dataclass(frozen=True, slots=True, kw_only=True)
class NewRows:
    """Documents that the tables do not have yet, all written at one moment."""

    keys: NDArray[np.int64]
    namespace_key: int
    version_key: int
    microseconds: int
    """Since 2000, as Postgres counts."""
    rows: pa.Table
    """With the columns of `buckets.schema`."""
    store_text: bool

    def __len__(self) -> int:
        return len(self.keys)


def document_blocks(new: NewRows) -> Iterator[bytes]:
    """For COPY document (DOCUMENT_COLUMNS)."""
    fixed = _fixed(
        len(new),
        len(DOCUMENT_COLUMNS),
        (
            ("id", ">i8", new.keys),
            ("namespace", ">i8", new.namespace_key),
            ("revision", ">i4", _FIRST_REVISION),
            ("text_revision", ">i4", _FIRST_REVISION),
            ("deleted", ">i1", 0),
            ("shard_hash", ">i4", new.rows["shard_hash"].to_numpy()),
            ("created_at", ">i8", new.microseconds),
            ("updated_at", ">i8", new.microseconds),
            ("content_hash", "V32", _fixed_bytes(new.rows["content_hash"], 32)),
        ),
    )
    width, heads = fixed.dtype.itemsize, memoryview(fixed.tobytes())
    yield _HEADER
    for start in range(0, len(new), ROWS_AT_ONCE):
        part = new.rows.slice(start, ROWS_AT_ONCE)
        texts = part["text"].to_pylist() if new.store_text else [b""] * part.num_rows
        pieces: list[bytes | memoryview] = []
        place = start * width
        for doc_id, text, metadata in zip(part["doc_id"].to_pylist(), texts, part["metadata"].to_pylist(), strict=True):
            pieces += (
                heads[place : place + width],
                len(doc_id).to_bytes(4), doc_id,
                len(text).to_bytes(4), text,
                (len(metadata) + 1).to_bytes(4), _JSONB_VERSION, metadata,
            )  # fmt: skip
            place += width
        yield b"".join(pieces)
    yield _TRAILER


def record_blocks(new: NewRows) -> Iterator[bytes]:
    """For COPY embedding_record (RECORD_COLUMNS)."""
    return _blocks(
        _fixed(
            len(new),
            len(RECORD_COLUMNS),
            (
                ("document", ">i8", new.keys),
                ("version", ">i8", new.version_key),
                ("text_revision", ">i4", _FIRST_REVISION),
                ("content_hash", "V32", _fixed_bytes(new.rows["content_hash"], 32)),
                ("state", "S5", b"ready"),
                ("next_attempt_at", ">i8", new.microseconds),
                ("attempts", ">i2", 0),
                ("batch_limit", ">i2", EMBED_BATCH_ITEMS),
                ("last_error", "S0", b""),
                ("created_at", ">i8", new.microseconds),
            ),
        )
    )


def vector_blocks(new: NewRows) -> Iterator[bytes]:
    """For COPY of a partition of embedding_vector (VECTOR_COLUMNS)."""
    width = new.rows.schema.field("vector").type.byte_width
    return _blocks(
        _fixed(
            len(new),
            len(VECTOR_COLUMNS),
            (
                ("version", ">i8", new.version_key),
                ("document", ">i8", new.keys),
                ("text_revision", ">i4", _FIRST_REVISION),
                ("vector", f"V{width}", _fixed_bytes(new.rows["vector"], width)),
            ),
        )
    )


def _blocks(frames: NDArray[Any]) -> Iterator[bytes]:
    yield _HEADER
    for start in range(0, len(frames), ROWS_AT_ONCE):
        yield frames[start : start + ROWS_AT_ONCE].tobytes()
    yield _TRAILER


def _fixed(rows: int, fields_of_row: int, columns: Sequence[tuple[str, str, Any]]) -> NDArray[Any]:
    """The beginning of each row: the number of its fields, then length and value of each column given."""
    layout: list[tuple[str, str]] = [("fields", ">i2")]
    for name, kind, _ in columns:
        layout += [(f"{name} length", ">i4"), *([(name, kind)] if np.dtype(kind).itemsize else [])]
    frames = np.zeros(rows, np.dtype(layout))
    frames["fields"] = fields_of_row
    for name, kind, value in columns:
        size = np.dtype(kind).itemsize
        frames[f"{name} length"] = size
        if size:
            frames[name] = value
    return frames


def _fixed_bytes(column: pa.ChunkedArray, width: int) -> NDArray[Any]:
    """The values of a column of fixed width and without nulls, without a copy."""
    array = column.combine_chunks()
    data = array.buffers()[1]
    found = np.frombuffer(data, dtype=f"V{width}", count=len(array) + array.offset)
    return found[array.offset :]
