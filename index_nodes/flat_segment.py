"""Fresh vectors, searched exactly until a graph is built from them."""

import numpy as np

from embedding_project.contracts.vectors import Vector
from index_nodes.effort import ANY_EFFORT, Effort
from index_nodes.rows import SegmentRows
from index_nodes.scan import Candidates, RowTable, SearchSpec, scan
from index_nodes.selections import Selection

_FIRST_CAPACITY = 16


class FlatSegment:
    is_graph = False

    def __init__(self, serial: int, dimension: int) -> None:
        self.serial = serial
        self.rows = SegmentRows.empty(_FIRST_CAPACITY)
        self._vectors = np.empty((_FIRST_CAPACITY, dimension), np.float32)

    @classmethod
    def restored(cls, serial: int, rows: SegmentRows, vectors: Vector) -> "FlatSegment":
        """A segment of given rows and their vectors. The segment may grow the arrays at their end."""
        segment = cls(serial, vectors.shape[1])
        segment.rows, segment._vectors = rows, vectors
        return segment

    @property
    def vectors(self) -> Vector:
        return self._vectors[: self.rows.count]

    def append(self, slot: int, stamp: int, vector: Vector, document_key: int, text_revision: int) -> int:
        """Add a row and return its number. Raises ValueError when the vector has another dimension."""
        if self.rows.count == len(self._vectors):
            self._grow(2 * len(self._vectors))
        self._vectors[self.rows.count] = vector
        return self.rows.append(slot, stamp, document_key, text_revision)

    def search(
        self, queries: Vector, table: RowTable, selection: Selection, spec: SearchSpec, effort: Effort = ANY_EFFORT
    ) -> Candidates:
        """Always exact, also where `spec` does not ask for it. Reads only `table`, and so may run beside writes. Raises
        Overdue."""
        return scan(table, selection, queries, spec.top_k, effort)

    def _grow(self, capacity: int) -> None:
        grown = np.empty((capacity, self._vectors.shape[1]), np.float32)
        grown[: self.rows.count] = self.vectors
        self._vectors = grown
        self.rows.grow(capacity)
