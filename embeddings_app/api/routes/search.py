"""POST /v1/search and POST /v1/search/batch"""

from dataclasses import asdict
from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from embedding_project.contracts.errors import ServiceError
from embedding_project.contracts.limits import MAX_BATCH_SEARCHES
from embeddings_app.api.admission import admission
from embeddings_app.api.error_shapes import error_body
from embeddings_app.api.middleware import caller_of
from embeddings_app.api.parsing import json_object
from embeddings_app.api.requests.searches import (
    BY_DOCUMENTS,
    BY_TEXT,
    BY_VECTOR,
    BY_WORDS,
    search_request,
    search_requests,
)
from embeddings_app.api.routes.base import ApiView
from embeddings_app.api.schema import errors, parts
from embeddings_app.api.schema.operation import Answer, operation
from embeddings_app.models import Scope
from embeddings_app.services.search.batch import search_many
from embeddings_app.services.search.grouping import GroupedResult, search_groups
from embeddings_app.services.search.hydration import SearchHit
from embeddings_app.services.search.searching import SearchRequest, SearchResult, search

Json = dict[str, Any]
_HIT = parts.record(
    {
        "id": parts.DOC_ID,
        "score": parts.described(
            parts.NUMBER,
            "Larger is better. Cosine similarity, -1 to 1; in mode text BM25, above 0; in mode hybrid the fused ranks, "
            "1 for the first of both; with rerank the relevance, 0 to 1.",
        ),
        "group": parts.described(
            {"oneOf": [parts.STRING, parts.NUMBER, parts.BOOLEAN]}, "With group_by: the value by which it is here."
        ),
        "metadata": parts.METADATA,
        "text": parts.STRING,
        "vector": parts.array(parts.NUMBER, "Of unit length."),
        "stale": parts.described(
            parts.BOOLEAN, "Present and true when the hit was found by the vector of an earlier text."
        ),
        "ranks": parts.described(
            {"type": "object", "additionalProperties": parts.COUNT},
            "In mode hybrid: its place by `vector` and by `text`, from 1, in those of the two that found it. With "
            "rerank: its place in the `search` before.",
        ),
        "highlights": parts.array(
            parts.record(
                {
                    "text": parts.STRING,
                    "marks": parts.array(parts.array(parts.COUNT), "Begin and end of each word, in characters."),
                }
            ),
            "Pieces of the text, with highlight.",
        ),
    },
    optional=("group", "metadata", "text", "vector", "stale", "ranks", "highlights"),
)
_TEXT_REPORT = parts.record(
    {
        "language": parts.STRING,
        "words": parts.array(parts.STRING, "Words that chose documents, as the language has them."),
        "frequent": parts.array(parts.STRING, "Words of too many documents: they chose few, and added to scores."),
        "looked_at": parts.described(parts.COUNT, "Documents."),
        "incomplete": parts.described(
            {"type": "string", "nullable": True},
            "Why documents may be missing: filling (the words of some are not kept yet), too_many (documents have the "
            "words), too_slow; null when none is.",
        ),
    }
)
_RERANK_REPORT = parts.record(
    {
        "model_id": parts.STRING,
        "model_version": parts.MODEL_VERSION,
        "reranked": parts.described(parts.COUNT, "Hits that the model has read."),
        "truncated": parts.described(parts.COUNT, "Those of them of which it did not read all."),
        "error": parts.described(
            {"type": "string", "nullable": True},
            "Code of the error because of which the hits are in the order of the search.",
        ),
    }
)
_ANSWER = parts.record(
    {
        "hits": parts.array(_HIT, "Best first."),
        "partial": parts.described(
            parts.BOOLEAN, "A shard, or one half of mode hybrid, did not answer in time, so hits may be missing."
        ),
        "shards": parts.record(
            {
                "total": parts.COUNT,
                "ok": parts.COUNT,
                "failed": parts.array(parts.COUNT, "Numbers of those that did not answer."),
            }
        ),
        "timings_ms": parts.described(
            {"type": "object", "additionalProperties": parts.NUMBER}, "Milliseconds by stage."
        ),
        "model_id": parts.STRING,
        "model_version": parts.MODEL_VERSION,
        "ef_search": parts.described(parts.COUNT, "The breadth that was used; 0 when no vector was searched with."),
        "text": parts.described(_TEXT_REPORT, "Of the search by words, in modes text and hybrid."),
        "rerank": parts.described(_RERANK_REPORT, "Present with rerank."),
        "vector_error": parts.described(
            parts.STRING, "Present in mode hybrid when the search by meaning failed: the code of its error."
        ),
        "groups": parts.described(
            parts.record(
                {
                    "count": parts.COUNT,
                    "seen": parts.described(parts.COUNT, "Hits that were put into groups."),
                    "complete": parts.described(parts.BOOLEAN, "Whether a look at more hits could add nothing."),
                }
            ),
            "With group_by.",
        ),
        "warnings": parts.array(
            parts.STRING, "Present when something in the query or the filter is probably a mistake."
        ),
    },
    optional=("text", "rerank", "vector_error", "groups", "warnings"),
)
_EXAMPLE = {
    "hits": [{"id": "notes/1", "score": 0.71, "metadata": {"lang": "en"}}],
    "partial": False,
    "shards": {"total": 2, "ok": 2, "failed": []},
    "timings_ms": {"embed": 4.1, "shards": 5.0, "nodes": 1.1, "hydrate": 1.2, "total": 10.5},
    "model_id": "all-MiniLM-L6-v2",
    "model_version": 1,
    "ef_search": 100,
}


_ERRORS = (
    *errors.GUARDED,
    *errors.NAMESPACED,
    *errors.BODY,
    *errors.TEXT,
    *errors.VECTOR,
    *errors.MODEL,
    *errors.EMBEDDING,
    *(
        "unknown_namespace",
        "model_mismatch",
        "invalid_filter",
        "unknown_document",
        "not_embedded",
        "text_search_off",
        "text_not_kept",
    ),
    *("invalid_token", "token_expired", "not_caught_up", "index_unavailable"),
)
_ONE = {"oneOf": [BY_TEXT, BY_VECTOR, BY_DOCUMENTS, BY_WORDS]}
_SEVERAL = parts.request_body(
    {"searches": parts.array(_ONE, "Each as of /v1/search.", minItems=1, maxItems=MAX_BATCH_SEARCHES)}, optional=()
)
_REFUSED = parts.record({"error": parts.COMPONENTS["Error"]["properties"]["error"]})
_OUTCOMES = parts.record({"results": parts.array({"oneOf": [_ANSWER, _REFUSED]}, "In the order of the searches.")})
_OUTCOMES_EXAMPLE = {"results": [_EXAMPLE, error_body(ServiceError("unknown_namespace", field="namespace"))]}


class Search(ApiView):
    scopes = {"POST": (Scope.SEARCH,)}

    @operation(
        "search",
        "Search by meaning, by words, or by both",
        tag="search",
        description="Never returns a deleted document, one of another namespace, or one that fails the filter now.",
        body=_ONE,
        body_examples={
            "by text": {"query": "where do foxes sleep?", "top_k": 3},
            "like a document": {"like": ["notes/1"], "unlike": ["notes/7"], "mmr": 0.7},
            "filtered": {"query": "dens", "filters": {"lang": "en", "year": {"gte": 2020}}, "exact": True},
            "by words and meaning": {"query": "ERR-1234 in the heater", "mode": "hybrid", "highlight": True},
            "by words": {
                "mode": "text",
                "text_query": {"words": "heater", "exact": ["ERR-1234"], "prefixes": ["fail"]},
            },
        },
        answers=[Answer(_ANSWER, "The nearest documents.", {"one hit": _EXAMPLE})],
        errors=_ERRORS,
    )
    def post(self, request: Request) -> Response:
        wanted = search_request(json_object(request))
        with self.admitted(request, inputs=_inputs(wanted), places=admission().searches, namespace=wanted.namespace):
            if wanted.groups is None:
                return Response(_answer(search(wanted)))
            return Response(_grouped_answer(search_groups(wanted, wanted.groups)))


class SearchBatch(ApiView):
    scopes = {"POST": (Scope.SEARCH,)}

    @operation(
        "search_batch",
        "Search several times at once",
        tag="search",
        description=(
            "Texts are embedded together, and searches of one index travel together. Each search has its own outcome; "
            "only a body that cannot be read, or a namespace that the key may not use, refuses them all."
        ),
        body=_SEVERAL,
        body_examples={"two": {"searches": [{"query": "where do foxes sleep?"}, {"query": "x", "namespace": "no"}]}},
        answers=[Answer(_OUTCOMES, "An answer or an error for each.", {"two": _OUTCOMES_EXAMPLE})],
        errors=_ERRORS,
    )
    def post(self, request: Request) -> Response:
        wanted = search_requests(json_object(request), _SEVERAL)
        for namespace in {one.namespace for one in wanted if isinstance(one, SearchRequest)}:
            caller_of(request).require_namespace(namespace)
        inputs = sum(_inputs(one) if isinstance(one, SearchRequest) else 1 for one in wanted)
        with self.admitted(request, inputs=inputs, places=admission().searches):
            found = iter(search_many([one for one in wanted if isinstance(one, SearchRequest)]))
        return Response(
            {"results": [_outcome(next(found) if isinstance(one, SearchRequest) else one) for one in wanted]}
        )


def _inputs(wanted: SearchRequest) -> int:
    """What counts for the limits of a key."""
    return 1 if wanted.rerank is None else 1 + wanted.rerank.top


def _outcome(found: SearchResult | ServiceError) -> Json:
    return error_body(found) if isinstance(found, ServiceError) else _answer(found)


def _answer(result: SearchResult) -> Json:
    total, failed = result.shards_total, result.shards_failed
    answer: Json = {
        "hits": [_hit(hit) for hit in result.hits],
        "partial": result.partial,
        "shards": {"total": total, "ok": total - len(failed), "failed": failed},
        "timings_ms": result.timings_ms,
        "model_id": result.model_id,
        "model_version": result.model_version,
        "ef_search": result.ef_search,
    }
    if result.text:
        answer["text"] = asdict(result.text)
    if result.rerank:
        answer["rerank"] = asdict(result.rerank)
    if result.vector_fault:
        answer["vector_error"] = result.vector_fault
    if result.warnings:
        answer["warnings"] = result.warnings
    return answer


def _grouped_answer(found: GroupedResult) -> Json:
    hits = [{**_hit(hit), "group": group.value} for group in found.groups for hit in group.hits]
    groups = {"count": len(found.groups), "seen": len(found.result.hits), "complete": found.complete}
    return {**_answer(found.result), "hits": hits, "groups": groups}


def _hit(hit: SearchHit) -> Json:
    answer: Json = {"id": hit.doc_id, "score": hit.score}
    if hit.metadata is not None:
        answer["metadata"] = hit.metadata
    if hit.text is not None:
        answer["text"] = hit.text
    if hit.vector is not None:
        answer["vector"] = hit.vector
    if hit.stale:
        answer["stale"] = True
    if hit.ranks is not None:
        answer["ranks"] = hit.ranks
    if hit.highlights is not None:
        answer["highlights"] = [asdict(piece) for piece in hit.highlights]
    return answer
