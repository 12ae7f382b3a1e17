"""Exact search over rows of a matrix, for small or strongly filtered segments and for `exact: true`."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from embedding_project.contracts.vectors import Vector

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


def scan(vectors: Vector, rows: NDArray[np.int64] | None, queries: Vector, top_k: int) -> Candidates:
    """The `top_k` best of `rows` (None for all) for each query; fewer only when there are fewer rows."""
    total = len(vectors) if rows is None else len(rows)
    best = Candidates(np.empty((len(queries), 0), np.float32), np.empty((len(queries), 0), np.int64))
    for start in range(0, total, _BLOCK_ROWS):
        stop = min(start + _BLOCK_ROWS, total)
        numbers = np.arange(start, stop) if rows is None else rows[start:stop]
        block = vectors[start:stop] if rows is None else vectors[numbers]
        best = _merge(best, _best(_scores(block, queries), numbers, top_k), top_k)
    return best


def _scores(block: Vector, queries: Vector) -> NDArray[np.float32]:
    # One query is bound by memory, where the matrix-vector product is faster; from two on the matrix product wins.
    if len(queries) == 1:
        return np.reshape(block @ queries[0], (1, -1))
    return np.ascontiguousarray((block @ queries.T).T)


def _best(scores: NDArray[np.float32], numbers: NDArray[np.int64], top_k: int) -> Candidates:
    if scores.shape[1] <= top_k:
        return Candidates(scores, np.broadcast_to(numbers, scores.shape))
    places = np.argpartition(scores, -top_k, axis=1)[:, -top_k:]
    return Candidates(np.take_along_axis(scores, places, axis=1), numbers[places])


def _merge(left: Candidates, right: Candidates, top_k: int) -> Candidates:
    if not left.scores.shape[1]:
        return right
    scores = np.concatenate([left.scores, right.scores], axis=1)
    rows = np.concatenate([left.rows, right.rows], axis=1)
    if scores.shape[1] <= top_k:
        return Candidates(scores, rows)
    places = np.argpartition(scores, -top_k, axis=1)[:, -top_k:]
    return Candidates(np.take_along_axis(scores, places, axis=1), np.take_along_axis(rows, places, axis=1))
