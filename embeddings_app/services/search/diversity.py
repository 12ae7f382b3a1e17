"""Hits that differ from each other: maximal marginal relevance, after Carbonell and Goldstein (1998)."""

from collections.abc import Sequence

import numpy as np

from embedding_project.contracts.vectors import Vector


def diverse(scores: Sequence[float], vectors: Vector, balance: float, count: int) -> list[int]:
    """Places of up to `count` hits, in the order in which they are chosen: each the best by `balance` times its score,
    minus the rest of 1 times its greatest similarity to those before it.

    `vectors` has the unit vector of each hit, shape (n, d).
    """
    relevance = np.asarray(scores, np.float64)
    nearest = np.zeros(len(relevance))
    left = np.ones(len(relevance), np.bool_)
    chosen: list[int] = []
    while len(chosen) < min(count, len(relevance)):
        worth = np.where(left, balance * relevance - (1.0 - balance) * nearest, -np.inf)
        best = int(worth.argmax())
        chosen.append(best)
        left[best] = False
        similarity = (vectors @ vectors[best]).astype(np.float64)
        nearest = similarity if len(chosen) == 1 else np.maximum(nearest, similarity)
    return chosen
