"""The vectors of a graph once more, with a bit for each number: enough to tell which of many rows may be near a query.

To compare a row of 384 numbers that is not in the caches takes 0.36 us, most of it waiting for memory. Its code has 56
bytes and takes 0.04 us. So where a filter passes many rows, only the best of them by their codes are compared by their
vectors.
"""

from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

from embedding_project.contracts.vectors import Vector
from index_nodes.effort import Effort
from index_nodes.graph_storage import Vectors
from index_nodes.row_bits import RowNumbers
from index_nodes.scan import Candidates

LEAST_ROWS = 8_192
"""A graph of fewer rows is scanned as fast without codes."""
LEAST_DIMENSION = 256
"""Bits of fewer numbers say too little."""
_TRAINED_ROWS = 16_384
_ENCODED_ROWS = 16_384
_PIECE = 32_768
"""Rows that are compared at a time: their codes stay in the cache."""
_QUERY_BITS = 4
"""Of a number of the query."""
_FACTORS_BYTES = 8


def code_bytes(dimension: int) -> int:
    """Of a row."""
    return -(-dimension // 8) + _FACTORS_BYTES if dimension >= LEAST_DIMENSION else 0


class CoarseCodes:
    """Of a graph that does not change."""

    def __init__(self, vectors: Vectors) -> None:
        count, dimension = vectors.shape
        self._index = _empty(dimension)
        sample = np.unique(np.linspace(0, count - 1, min(count, _TRAINED_ROWS)).astype(np.int64))
        self._index.train(np.ascontiguousarray(vectors[sample], np.float32))
        # An index of Faiss that grows may keep twice the memory that it needs.
        self._codes: NDArray[np.uint8] = np.empty((count, self._index.code_size), np.uint8)
        for start in range(0, count, _ENCODED_ROWS):
            piece = np.ascontiguousarray(vectors[start : start + _ENCODED_ROWS], np.float32)
            self._codes[start : start + _ENCODED_ROWS] = self._index.sa_encode(piece)

    @classmethod
    def worthwhile(cls, vectors: Vectors) -> "CoarseCodes | None":
        count, dimension = vectors.shape
        return cls(vectors) if count >= LEAST_ROWS and dimension >= LEAST_DIMENSION else None

    def nearest(self, queries: Vector, rows: RowNumbers, count: int, effort: Effort) -> Candidates:
        """For each query about the nearest `count` of these rows, all when there are fewer, with scores about as the
        vectors have them, best first. Raises Overdue."""
        part = _empty(self._index.d)
        part.center, part.is_trained = self._index.center, True
        picked = np.empty((min(_PIECE, len(rows)), self._codes.shape[1]), np.uint8)
        best = Candidates(np.empty((len(queries), 0), np.float32), np.empty((len(queries), 0), np.int64))
        for start in range(0, len(rows), _PIECE):
            if start:
                effort.go_on()
            piece = rows[start : start + _PIECE]
            codes = np.take(self._codes, piece, axis=0, out=picked[: len(piece)], mode="clip")
            part.reset()
            part.add_sa_codes(codes)
            scores, places = part.search(queries, min(count, len(piece)))
            best = best.beside(Candidates(scores, piece[places]))
            if start:
                best = best.at(np.argsort(-best.scores, axis=1)[:, :count])
        return best


def _empty(dimension: int) -> Any:
    index: Any = faiss.IndexRaBitQ(dimension, faiss.METRIC_INNER_PRODUCT)
    index.qb = _QUERY_BITS
    return index
