"""Calibration: the smallest breadth of a search with which a version reaches its recall target.

It is what a search with `"ef_search": "auto"` uses. Breadths are tried from the smallest up, on the same queries.
"""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from embedding_project.contracts.model_spec import ModelSpec
from embedding_project.contracts.vectors import Vector
from embedding_project.threads.waiter import rest
from embeddings_app.services.quality.queries import SampleQuery
from embeddings_app.services.quality.trial import NoAnswer, query_vector, recall, search, search_exactly
from embeddings_app.services.search.hydration import SearchHit

LADDER = (16, 24, 32, 48, 64, 100, 150, 200, 300, 400)
LEAST_QUERIES = 10
"""Fewer tell nothing."""


@dataclass(frozen=True, slots=True)
class _Known:
    """A query whose true nearest documents are known."""

    query: SampleQuery
    vector: Vector
    nearest: tuple[SearchHit, ...]


def calibrate(
    spec: ModelSpec,
    target: float,
    queries: Sequence[SampleQuery],
    deadline: float,
    pause: Callable[[float], None] = rest,
) -> int | None:
    """The breadth that reaches `target`, the largest of the ladder when none does; None when too few queries were
    answered by `deadline` (monotonic seconds)."""
    # Half of the time for the exact searches, so that the ladder gets some of it.
    known = _known(spec, queries, (time.monotonic() + deadline) / 2, pause)
    return smallest_breadth(lambda ef_search: _recalls(spec, known, ef_search, deadline), target)


def smallest_breadth(recalls: Callable[[int], Sequence[float]], target: float) -> int | None:
    """The same, by the recall of each query under a breadth."""
    for ef_search in LADDER:
        found = recalls(ef_search)
        if len(found) < LEAST_QUERIES:
            return None
        if _reaches(found, target):
            return ef_search
    return LADDER[-1]


def _reaches(recalls: Sequence[float], target: float) -> bool:
    """Whether the mean is at least the target by one standard error: other queries may do worse."""
    error = float(np.std(recalls)) / math.sqrt(len(recalls))
    return float(np.mean(recalls)) - error >= target


def _known(
    spec: ModelSpec, queries: Sequence[SampleQuery], deadline: float, pause: Callable[[float], None]
) -> list[_Known]:
    known = []
    for query in queries:
        if time.monotonic() >= deadline:
            break
        try:
            vector = query_vector(spec, query, deadline, use_cache=True)
            nearest = search_exactly(spec, query, vector, deadline, pause)
        except NoAnswer:
            continue
        if nearest:
            known.append(_Known(query, vector, nearest))
    return known


def _recalls(spec: ModelSpec, known: Sequence[_Known], ef_search: int, deadline: float) -> list[float]:
    found = []
    for one in known:
        try:
            hits = search(spec, one.query, one.vector, deadline, ef_search=ef_search)
        except NoAnswer:
            continue
        share = recall(hits, one.nearest)
        if share is not None:
            found.append(share)
    return found
