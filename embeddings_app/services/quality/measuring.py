"""Measuring: many queries tried on a version, alone or beside the version that it is to follow.

Both versions get each query at nearly the same moment, so that what else the machine does slows both.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from embedding_project.contracts.model_spec import ModelSpec
from embedding_project.threads.waiter import rest
from embeddings_app.records.measurements import Measured
from embeddings_app.services.quality.queries import SampleQuery
from embeddings_app.services.quality.trial import DEPTH, Answer, NoAnswer, recall, search_exactly, try_query


@dataclass(frozen=True, slots=True)
class _Tried:
    """One query that was answered."""

    new: Answer
    old: Answer | None
    recall: float | None


def measure(
    spec: ModelSpec, queries: Sequence[SampleQuery], deadline: float, pause: Callable[[float], None] = rest
) -> Measured:
    """Recall and latency of one version, until `deadline` (monotonic seconds)."""
    return _measure(None, spec, queries, deadline, pause)


def compare(
    old: ModelSpec,
    new: ModelSpec,
    queries: Sequence[SampleQuery],
    deadline: float,
    pause: Callable[[float], None] = rest,
) -> Measured:
    """Recall and latency of the new version, its hits and its latency beside those of the old one."""
    return _measure(old, new, queries, deadline, pause)


def _measure(
    old: ModelSpec | None,
    new: ModelSpec,
    queries: Sequence[SampleQuery],
    deadline: float,
    pause: Callable[[float], None],
) -> Measured:
    for query in queries[:1]:
        # The first text makes an embedder load the model, which is not what a search takes.
        _tried(old, new, query, deadline, pause)
    tried = []
    for query in queries:
        if time.monotonic() >= deadline:
            break
        if (outcome := _tried(old, new, query, deadline, pause)) is not None:
            tried.append(outcome)
    return _figures(queries, tried)


def _tried(
    old: ModelSpec | None, new: ModelSpec, query: SampleQuery, deadline: float, pause: Callable[[float], None]
) -> _Tried | None:
    """None when one of the versions does not answer."""
    try:
        before = try_query(old, query, deadline) if old is not None else None
        answer = try_query(new, query, deadline)
        nearest = search_exactly(new, query, answer.vector, deadline, pause)
    except NoAnswer:
        return None
    return _Tried(answer, before, recall(answer.hits, nearest))


def _figures(queries: Sequence[SampleQuery], tried: Sequence[_Tried]) -> Measured:
    took = [outcome.new.milliseconds for outcome in tried]
    pairs = [(outcome.old, outcome.new) for outcome in tried if outcome.old is not None]
    return Measured(
        queries=len(queries),
        searches=len(tried),
        synthetic=sum(query.synthetic for query in queries),
        small=sum(len(outcome.new.hits) < DEPTH for outcome in tried),
        recall=_mean([outcome.recall for outcome in tried if outcome.recall is not None]),
        latency_p50_ms=_percentile(took, 50),
        latency_p99_ms=_percentile(took, 99),
        overlap=_mean([share for old, new in pairs if (share := _overlap(old, new)) is not None]),
        slowdown=_slowdown(pairs),
    )


def _overlap(old: Answer, new: Answer) -> float | None:
    """The share of hits that both have; None when neither has any."""
    first, second = ({hit.doc_id for hit in answer.hits} for answer in (old, new))
    return len(first & second) / max(len(first), len(second)) if first or second else None


def _slowdown(pairs: Sequence[tuple[Answer, Answer]]) -> float | None:
    before = _percentile([old.milliseconds for old, _ in pairs], 50)
    after = _percentile([new.milliseconds for _, new in pairs], 50)
    return after / before if before and after else None


def _mean(values: Sequence[float]) -> float | None:
    return round(float(np.mean(values)), 6) if values else None


def _percentile(values: Sequence[float], share: float) -> float | None:
    return float(np.percentile(values, share)) if values else None
