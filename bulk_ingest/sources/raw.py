"""What every source gives: raw values of rows, in the order of the file, unchecked."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

BATCH_ROWS = 4_096
Vectors: TypeAlias = Sequence[Any] | NDArray[np.floating[Any]]


class SourceError(Exception):
    """A file cannot be read: it is damaged, has changed since the plan, or lacks a column. The message names it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """Names of the columns, or members, that are read; others are ignored."""

    doc_id: str = "id"
    text: str = "text"
    vector: str | None = "vector"
    """None where the texts are embedded."""
    metadata: str = "metadata"


@dataclass(frozen=True, slots=True, kw_only=True)
class InputFile:
    """A file as it was when it was listed."""

    path: str
    """On this machine, or s3://bucket/key."""
    size: int
    modified_ns: int
    etag: str = ""
    """The mark of the content of an object; empty for a file of this machine."""
    format: str
    groups: tuple[int, int] | None = None
    """Row groups from the first number up to the second, exclusive: a part of a Parquet file. None for a whole file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RawBatch:
    """Rows of one file. A value that is None was left out."""

    first_row: int
    """Number of the first row in its file; lines and rows count from 1."""
    doc_ids: Sequence[Any]
    texts: Sequence[Any]
    vectors: Vectors
    """Empty where no column of vectors is read. A matrix where the column holds vectors of one length and no nulls."""
    metadata: Sequence[Any]
    """Objects, pairs, or JSON in a string."""
    faults: Mapping[int, str]
    """Place in the batch -> error code, of rows that could not be read at all."""
    numbers: Sequence[int] | None = None
    """Of each row in its file, where some lines are no rows."""

    def row_number(self, place: int) -> int:
        return self.numbers[place] if self.numbers is not None else self.first_row + place
