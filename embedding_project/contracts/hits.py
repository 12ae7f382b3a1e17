"""Hits of one shard, and the k-way heap merge of the hits of all shards."""

import heapq
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

SCORE_DIGITS = 6
"""After the point. In further digits equal texts differ, by the order in which a processor adds."""


def rounded_scores(scores: NDArray[np.float64]) -> NDArray[np.float32]:
    """Scores in the form in which they are ordered, sent and shown: -1 to 1."""
    # Adding zero turns -0 into 0.
    return np.clip(np.round(scores, SCORE_DIGITS) + 0.0, -1, 1).astype(np.float32)


class Hit(NamedTuple):
    score: float
    """Cosine similarity, rounded; larger is nearer."""
    document_key: int
    """Primary key of the document."""
    text_revision: int
    """Revision of the text of the vector; hydration drops the hit when the stored vector has another one."""


@dataclass(frozen=True, slots=True)
class ShardHits:
    """Hits of one query on one shard, best first; three arrays of equal length."""

    scores: NDArray[np.float32]
    document_keys: NDArray[np.int64]
    text_revisions: NDArray[np.int32]

    def __iter__(self) -> Iterator[Hit]:
        rows = zip(self.scores.tolist(), self.document_keys.tolist(), self.text_revisions.tolist(), strict=True)
        return map(Hit._make, rows)

    def ascending(self) -> Iterator[tuple[float, int, int]]:
        """The hits as tuples that sort by themselves, the best first: (-score, document key, text revision)."""
        return zip((-self.scores).tolist(), self.document_keys.tolist(), self.text_revisions.tolist(), strict=True)


def merge_hits(shards: Iterable[ShardHits], top_k: int) -> list[Hit]:
    """The best `top_k` hits over all shards, best first; equal scores by document key, so the order is stable."""
    merged = heapq.merge(*(shard.ascending() for shard in shards))
    return [Hit(round(-negative, SCORE_DIGITS), key, revision) for negative, key, revision in islice(merged, top_k)]
