"""Exact search over rows of a matrix, for small or strongly filtered segments and for `exact: true`."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from embedding_project.contracts.vectors import Vector
from index_nodes.rows import Selection

_BLOCK_ROWS = 8_192
"""12 MiB of 384 floats: large enough for the matrix product, small enough to stay in the cache."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchSpec:
    """Everything about a query but its vector."""

    top_k: int
    ef_search: int
    exact: bool
    filter: str
    """Canonical JSON of the filter tree, empty for none."""


class Candidates(NamedTuple):
    """The best rows of one segment for each query, in no order; two arrays of shape (queries, k)."""

    scores: NDArray[np.float32]
    """Minus infinity where there is no row."""
    rows: NDArray[np.int64]
    """-1 where there is no row."""


def scan(vectors: Vector, selection: Selection, queries: Vector, top_k: int) -> Candidates:
    """The `top_k` best selected rows for each query, all of them when there are fewer."""
    top_k = min(top_k, selection.count)
    # Copying rows together costs three times as much as reading them in place, so it pays for few of them only.
    picked = selection.rows() if 2 * selection.count < len(vectors) else None
    total = len(vectors) if picked is None else len(picked)
    best = Candidates(np.empty((len(queries), 0), np.float32), np.empty((len(queries), 0), np.int64))
    for start in range(0, total, _BLOCK_ROWS):
        stop = min(start + _BLOCK_ROWS, total)
        if picked is None:
            numbers = np.arange(start, stop)
            scores = _scores(vectors[start:stop], queries)
            if selection.mask is not None:
                scores[:, ~selection.mask[start:stop]] = -np.inf
        else:
            numbers = picked[start:stop]
            scores = _scores(vectors[numbers], queries)
        best = _merge(best, Candidates(scores, np.broadcast_to(numbers, scores.shape)), top_k)
    return best


def _scores(block: Vector, queries: Vector) -> NDArray[np.float32]:
    # One query is bound by memory, where the matrix-vector product is faster; from two on the matrix product wins.
    if len(queries) == 1:
        return np.reshape(block @ queries[0], (1, -1))
    return np.ascontiguousarray((block @ queries.T).T)


def _merge(best: Candidates, more: Candidates, top_k: int) -> Candidates:
    more = _top(more, top_k)
    if not best.scores.shape[1]:
        return more
    scores = np.concatenate([best.scores, more.scores], axis=1)
    return _top(Candidates(scores, np.concatenate([best.rows, more.rows], axis=1)), top_k)


def _top(candidates: Candidates, top_k: int) -> Candidates:
    if candidates.scores.shape[1] <= top_k:
        return candidates
    places = np.argpartition(candidates.scores, -top_k, axis=1)[:, -top_k:]
    lines = np.arange(len(places))[:, np.newaxis]
    return Candidates(candidates.scores[lines, places], candidates.rows[lines, places])
