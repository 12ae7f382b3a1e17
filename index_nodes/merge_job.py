"""The input of one build, and the rows of the segment that it makes. Made under the lock, used without it."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from embedding_project.contracts.vectors import Vector
from index_nodes.flat_segment import FlatSegment
from index_nodes.hnsw_segment import HnswSegment
from index_nodes.merge_plan import MergePlan
from index_nodes.rows import SegmentRows

Segment = FlatSegment | HnswSegment


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MergeSource:
    segment: Segment
    vectors: Vector
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

    def added_vectors(self) -> Vector:
        return np.concatenate([source.vectors[source.picked] for source in self.sources])

    def rows(self) -> SegmentRows:
        """The rows of the new segment in the order of its graph, all dead until the segment is published."""
        parts = [(self.base.rows.slots, self.base.rows.stamps)] if self.base else []
        for source in self.sources:
            rows = source.segment.rows
            parts.append((rows.slots[source.picked], rows.stamps[source.picked]))
        slots = np.concatenate([slots for slots, _ in parts])
        stamps = np.concatenate([stamps for _, stamps in parts])
        return SegmentRows(slots, stamps, np.zeros(len(slots), np.bool_))
