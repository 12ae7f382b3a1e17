"""The first hits of a search put in order once more, by a cross-encoder that reads them beside the query."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from embedding_project.contracts.errors import ServiceError
from embedding_project.contracts.model_spec import ModelSpec
from embeddings_app.services.embedding.reranking import rerank
from embeddings_app.services.search.hydration import SearchHit

_ANSWER_SECONDS = 0.1
"""Of the time of a search, kept to make an answer of what was found."""
_SEARCH = "search"


@dataclass(frozen=True, slots=True, kw_only=True)
class RerankAsked:
    model_id: str | None
    """None for the only cross-encoder there is."""
    query: str | None
    """None for the text of the search."""
    top: int
    """How many of the first hits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RerankReport:
    model_id: str
    model_version: int
    reranked: int
    """Hits."""
    truncated: int
    """Hits of which the model did not read all."""
    error: str | None = None
    """Code of the error because of which the hits are in the order of the search."""


def reranked(
    hits: Sequence[SearchHit], spec: ModelSpec, query: str, top: int, deadline: float, *, allow_partial: bool
) -> tuple[list[SearchHit], RerankReport]:
    """The hits with the relevance as their score, most relevant first, and after them those beyond `top` and those
    without a text. Raises ServiceError unless an answer in part is allowed."""
    report = RerankReport(model_id=spec.model_id, model_version=spec.version, reranked=0, truncated=0)
    read = [(place, hit) for place, hit in enumerate(hits[:top], 1) if hit.text]
    if not read:
        return list(hits), report
    try:
        ranked = rerank(spec, query, [hit.text or "" for _, hit in read], deadline - _ANSWER_SECONDS, "rerank")
    except ServiceError as error:
        if not allow_partial:
            raise
        return list(hits), replace(report, error=error.code)
    first = []
    for one in ranked:
        place, hit = read[one.index]
        first.append(replace(hit, score=round(one.relevance, 6), ranks={**(hit.ranks or {}), _SEARCH: place}))
    chosen = {hit.doc_id for _, hit in read}
    rest = [hit for hit in hits if hit.doc_id not in chosen]
    cut = sum(one.truncated for one in ranked)
    return [*first, *rest], replace(report, reranked=len(first), truncated=cut)
