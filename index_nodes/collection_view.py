"""A collection as of one moment. It is made under the lock of the index, and searched without it, beside writes."""

from dataclasses import dataclass

import numpy as np

from embedding_project.contracts.hits import ShardHits
from embedding_project.contracts.search_costs import scan_microseconds
from embedding_project.contracts.vectors import Vector
from index_nodes.effort import ANY_EFFORT, Effort
from index_nodes.merge_job import Segment
from index_nodes.scan import RowTable, SearchSpec
from index_nodes.selections import Selection


@dataclass(frozen=True, slots=True, eq=False)
class SegmentView:
    """The rows that a segment had at the moment, and which of them a search may return."""

    segment: Segment
    table: RowTable
    selection: Selection

    @classmethod
    def of(cls, segment: Segment, selection: Selection) -> "SegmentView":
        rows = segment.rows
        return cls(segment, RowTable(segment.vectors, rows.document_keys, rows.text_revisions), selection)


class CollectionView:
    """Keeps its segments in memory, also graphs that were replaced meanwhile."""

    def __init__(self, segments: tuple[SegmentView, ...]) -> None:
        self.segments = tuple(view for view in segments if view.selection.count)
        """Those of which rows are selected."""

    def search(self, queries: Vector, spec: SearchSpec, effort: Effort = ANY_EFFORT) -> list[ShardHits]:
        """The hits of each query: the best over all segments, equal scores by document key. Raises TooHeavy and
        Overdue as `effort` says."""
        if not self.segments:
            return [no_hits() for _ in queries]
        if spec.exact:
            effort.afford(scan_microseconds(sum(view.selection.count for view in self.segments), queries.shape[1]))
        scores, keys, text_revisions = [], [], []
        for number, view in enumerate(self.segments):
            if number:
                effort.go_on()
            found = view.segment.search(queries, view.table, view.selection, spec, effort)
            scores.append(found.scores)
            keys.append(view.table.document_keys[found.rows])
            text_revisions.append(view.table.text_revisions[found.rows])
        every = np.hstack(scores), np.hstack(keys), np.hstack(text_revisions)
        order = np.lexsort((every[1], -every[0]), axis=-1)[:, : spec.top_k]
        best = [np.take_along_axis(column, order, axis=1) for column in every]
        return [ShardHits(*line) for line in zip(*best, strict=True)]


def no_hits() -> ShardHits:
    return ShardHits(np.empty(0, np.float32), np.empty(0, np.int64), np.empty(0, np.int32))
