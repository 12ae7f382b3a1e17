"""The input of one build, and the rows of the segment that it makes. Made under the lock, used without it."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from embedding_project.contracts.vectors import Vector
from index_nodes.flat_segment import FlatSegment
from index_nodes.graph_storage import Vectors
from index_nodes.hnsw_segment import HnswSegment
from index_nodes.merge_plan import MergePlan
from index_nodes.rows import SegmentRows

Segment = FlatSegment | HnswSegment
_PIECE_ROWS = 16_384


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MergeSource:
    segment: Segment
    vectors: Vectors
    """Of a sealed segment: they no longer change."""
    picked: NDArray[np.int64]
    """The rows that were live when the job was made. At its end the collection checks whether they still are."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MergeJob:
    plan: MergePlan
    base: HnswSegment | None
    """The graph to extend; all its rows are kept, dead ones too."""
    sources: tuple[MergeSource, ...]

    @property
    def added(self) -> int:
        """Rows to insert into a graph."""
        return sum(len(source.picked) for source in self.sources)

    @property
    def total(self) -> int:
        """Rows of the new graph."""
        return self.added + (self.base.rows.count if self.base else 0)

    def added_vectors(self) -> Iterator[Vector]:
        """The vectors of the rows to insert, piece by piece: together they may be larger than the free memory."""
        for source in self.sources:
            for start in range(0, len(source.picked), _PIECE_ROWS):
                yield source.vectors[source.picked[start : start + _PIECE_ROWS]]

    def save_vectors(self, path: Path, dimension: int) -> None:
        """Write these vectors as one npy file. Raises OSError."""
        with path.open("xb") as file:
            header = {"descr": "<f4", "fortran_order": False, "shape": (self.added, dimension)}
            np.lib.format.write_array_header_1_0(file, header)
            for piece in self.added_vectors():
                file.write(np.ascontiguousarray(piece, "<f4").data)

    def rows(self) -> SegmentRows:
        """The rows of the new segment in the order of its graph, all dead until the segment is published."""
        parts: list[tuple[SegmentRows, slice | NDArray[np.int64]]] = (
            [(self.base.rows, slice(None))] if self.base else []
        )
        parts += [(source.segment.rows, source.picked) for source in self.sources]
        return SegmentRows(
            slots=np.concatenate([rows.slots[picked] for rows, picked in parts]),
            stamps=np.concatenate([rows.stamps[picked] for rows, picked in parts]),
            document_keys=np.concatenate([rows.document_keys[picked] for rows, picked in parts]),
            text_revisions=np.concatenate([rows.text_revisions[picked] for rows, picked in parts]),
        )
