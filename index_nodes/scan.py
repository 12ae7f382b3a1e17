"""Exact search over rows of a matrix, for small or strongly filtered segments and for `exact: true`."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from embedding_project.contracts.hits import rounded_scores
from embedding_project.contracts.vectors import Vector
from index_nodes.effort import ANY_EFFORT, Effort
from index_nodes.graph_storage import Vectors
from index_nodes.selections import Selection

Keys = NDArray[np.int64]
_MOST_BLOCK_ROWS, _LEAST_BLOCK_ROWS = 8_192, 256
_BLOCK_NUMBERS = _MOST_BLOCK_ROWS * 384
"""12 MiB: large enough for the matrix product, small enough to stay in the cache."""
TIE_MARGIN = 4e-6
"""Scores that differ by more in single precision differ after rounding too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchSpec:
    """Everything about a query but its vector."""

    top_k: int
    ef_search: int
    exact: bool
    filter: str
    """Canonical JSON of the filter tree, empty for none."""
    scan_factor: float = 1.0
    """Scales the number of rows up to which a scan is preferred to a walk of the graph; 0 always walks."""


class RowTable(NamedTuple):
    """The rows of a segment as a search sees them: three arrays of one length that do not change meanwhile."""

    vectors: Vectors
    document_keys: Keys
    text_revisions: NDArray[np.int32]


class Candidates(NamedTuple):
    """Rows of one segment for each query; two arrays of shape (queries, k)."""

    scores: NDArray[np.float32]
    """Minus infinity where there is no row."""
    rows: NDArray[np.int64]
    """-1 where there is no row."""

    def at(self, places: NDArray[np.int64]) -> "Candidates":
        """The candidates at the given places of each line."""
        return Candidates(
            np.take_along_axis(self.scores, places, axis=1), np.take_along_axis(self.rows, places, axis=1)
        )

    def beside(self, other: "Candidates") -> "Candidates":
        return Candidates(np.hstack([self.scores, other.scores]), np.hstack([self.rows, other.rows]))


def settled(table: RowTable, queries: Vector, candidates: Candidates, top_k: int) -> Candidates:
    """The `top_k` best candidates of each query, best first, equal scores by document key.

    It computes all scores again, in one way and in double precision, since each way to find candidates rounds
    differently. So a vector has the same score in every segment.
    """
    scores = np.empty(candidates.rows.shape)
    for line, query in enumerate(queries.astype(np.float64)):
        scores[line] = table.vectors[candidates.rows[line]].astype(np.float64) @ query
    shown = rounded_scores(scores)
    shown[np.isneginf(candidates.scores)] = -np.inf
    keys = table.document_keys[candidates.rows]
    return Candidates(shown, candidates.rows).at(np.lexsort((keys, -shown), axis=-1)[:, :top_k])


def scan(table: RowTable, selection: Selection, queries: Vector, top_k: int, effort: Effort = ANY_EFFORT) -> Candidates:
    """The `top_k` best selected rows for each query, settled; all of them when there are fewer. Raises Overdue."""
    vectors, top_k = table.vectors, min(top_k, selection.count)
    # To copy rows together costs three times as much as to read them in place, so it pays for few rows only.
    picked = selection.rows() if 2 * selection.count < len(vectors) else None
    passing = selection.mask() if picked is None and not selection.whole else None
    total = len(vectors) if picked is None else len(picked)
    best = Candidates(np.empty((len(queries), 0), np.float32), np.empty((len(queries), 0), np.int64))
    block = min(max(_BLOCK_NUMBERS // vectors.shape[1], _LEAST_BLOCK_ROWS), _MOST_BLOCK_ROWS)
    for start in range(0, total, block):
        if start:
            effort.go_on()
        stop = min(start + block, total)
        if picked is None:
            numbers = np.arange(start, stop)
            scores = _scores(vectors[start:stop], queries)
            if passing is not None:
                scores[:, ~passing[start:stop]] = -np.inf
        else:
            numbers = picked[start:stop]
            scores = _scores(vectors[numbers], queries)
        found = _near_the_best(Candidates(scores, np.broadcast_to(numbers, scores.shape)), top_k)
        best = _near_the_best(best.beside(found), top_k)
        if best.rows.shape[1] > 2 * top_k + _MOST_BLOCK_ROWS:
            # Many rows have almost the same score: choose among them before there are more.
            best = settled(table, queries, best, top_k)
    return settled(table, queries, best, top_k)


def _scores(block: Vector, queries: Vector) -> NDArray[np.float32]:
    # Memory bounds one query, so the matrix-vector product is faster; from two queries on, the matrix product is.
    if len(queries) == 1:
        return np.reshape(block @ queries[0], (1, -1))
    return np.ascontiguousarray((block @ queries.T).T)


def _near_the_best(candidates: Candidates, top_k: int) -> Candidates:
    """The `top_k` best of each line, and all that may be as good as the last of these after rounding."""
    scores = candidates.scores
    if scores.shape[1] <= top_k:
        return candidates
    best = candidates.at(np.argpartition(scores, -top_k, axis=1)[:, -top_k:])
    floor = np.maximum(best.scores.min(axis=1, keepdims=True) - TIE_MARGIN, np.finfo(np.float32).min)
    count = int(np.count_nonzero(scores >= floor, axis=1).max())
    return best if count <= top_k else candidates.at(np.argpartition(scores, -count, axis=1)[:, -count:])
