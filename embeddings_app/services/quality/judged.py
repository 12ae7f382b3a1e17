"""How good the ranking of a version is by the judgements of people: nDCG at 10.

The gain of a document is its relevance, as in trec_eval and in the figures of BEIR.
"""

import math
import time
from collections.abc import Mapping, Sequence
from itertools import islice

from embedding_project.contracts.errors import ServiceError
from embedding_project.contracts.keys import InputType
from embedding_project.contracts.limits import DEFAULT_EF_SEARCH, EMBED_BATCH_ITEMS
from embedding_project.contracts.messages import Lane
from embedding_project.contracts.model_spec import ModelSpec
from embedding_project.contracts.vectors import unit_length
from embeddings_app.records.judgements import Judged
from embeddings_app.services.embedding.embed import embed_texts
from embeddings_app.services.quality.queries import SampleQuery
from embeddings_app.services.quality.trial import DEPTH, NoAnswer, search

Ranking = Sequence[str]
"""Document ids, the best first."""


def rankings(spec: ModelSpec, queries: Sequence[Judged], deadline: float) -> dict[int, Ranking]:
    """Key of a query -> what the version finds, for those that are answered by `deadline` (monotonic seconds)."""
    found: dict[int, Ranking] = {}
    remaining = iter(queries)
    while time.monotonic() < deadline and (batch := list(islice(remaining, EMBED_BATCH_ITEMS))):
        found |= _rankings(spec, batch, deadline)
    return found


def _rankings(spec: ModelSpec, batch: Sequence[Judged], deadline: float) -> dict[int, Ranking]:
    found: dict[int, Ranking] = {}
    try:
        outcomes = embed_texts(spec, InputType.QUERY, [query.text for query in batch], Lane.BULK, deadline)
    except ServiceError:
        return found
    for query, outcome in zip(batch, outcomes, strict=True):
        if outcome.vector is None or time.monotonic() >= deadline:
            continue
        asked = SampleQuery(namespace_key=query.namespace_key, text=query.text, top_k=DEPTH)
        try:
            hits = search(spec, asked, unit_length(outcome.vector), deadline, ef_search=DEFAULT_EF_SEARCH)
        except NoAnswer:
            continue
        found[query.key] = [hit.doc_id for hit in hits]
    return found


def mean_ndcg(found: Mapping[int, Ranking], queries: Sequence[Judged]) -> float | None:
    """Over the queries that were answered and have a relevant document; None when there are none."""
    values = [
        ndcg(found[query.key], query.relevance)
        for query in queries
        if query.key in found and any(grade > 0 for grade in query.relevance.values())
    ]
    return sum(values) / len(values) if values else None


def ndcg(ranking: Ranking, relevance: Mapping[str, int], depth: int = DEPTH) -> float:
    """1 for the best possible order, 0 when nothing relevant is among the first `depth`."""
    best = _gain(sorted(relevance.values(), reverse=True)[:depth])
    return _gain([relevance.get(doc_id, 0) for doc_id in ranking[:depth]]) / best if best else 0.0


def _gain(grades: Sequence[int]) -> float:
    return sum(grade / math.log2(place + 2) for place, grade in enumerate(grades))
