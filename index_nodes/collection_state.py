"""The state of a collection as plain arrays: copied under the lock, written to a snapshot, read back from it.

It holds nothing that follows from the rest: the stamps of rows and slots tell which rows are live.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from embedding_project.contracts.vectors import Vector


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SlotState:
    """A slot table: four arrays of one length, and the tombstones of deleted documents."""

    document_keys: NDArray[np.int64]
    revisions: NDArray[np.int32]
    text_revisions: NDArray[np.int32]
    stamps: NDArray[np.int64]
    """-1 for a free slot."""
    tombstones: Sequence[tuple[int, tuple[int, int]]]
    """Document key, and its revision and text revision; oldest first."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ColumnState:
    """One metadata field."""

    codes: NDArray[np.int32]
    """By slot; -1 where the field is absent."""
    values: Sequence[Any]
    """By code. The value of a code that no slot has may be anything."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GraphFile:
    path: Path
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SegmentState:
    """The rows of one segment, and either their vectors or the file of their graph."""

    serial: int
    slots: NDArray[np.int32]
    stamps: NDArray[np.int64]
    vectors: Vector | None
    graph: GraphFile | None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CollectionState:
    slots: SlotState
    columns: Mapping[str, ColumnState]
    segments: tuple[SegmentState, ...]
    fresh: int | None
    """Serial of the segment that takes new vectors."""
    next_serial: int
    next_stamp: int
    documents: int
    digest: int
