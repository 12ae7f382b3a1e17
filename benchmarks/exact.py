"""The right answers, by comparing everything with everything."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.corpus import Matrix

_TIE = 1e-5
"""Equal texts have equal vectors up to the rounding of an engine: any of them is right."""


@dataclass(frozen=True, slots=True)
class Truth:
    """The scores of all pairs, and for each query the score that a row must reach to be among the best."""

    scores: Matrix
    least: NDArray[np.float32]

    def recall(self, found: Sequence[Sequence[int]], top_k: int) -> float:
        """The share of the best `top_k` rows that were found; a row counts once."""
        hits = 0
        for query, rows in enumerate(found):
            distinct = list(dict.fromkeys(rows))[:top_k]
            hits += int((self.scores[query, distinct] >= self.least[query] - _TIE).sum())
        return hits / (len(found) * top_k)


def truth_of(vectors: Matrix, queries: Matrix, top_k: int = 10) -> Truth:
    scores = queries @ vectors.T
    least = np.partition(scores, -top_k, axis=1)[:, -top_k]
    return Truth(scores, least)
