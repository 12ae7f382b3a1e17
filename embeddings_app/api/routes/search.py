"""POST /v1/search"""

from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from embedding_project.contracts.errors import InvalidRequest
from embedding_project.contracts.filters import parse_filter
from embedding_project.contracts.limits import (
    DEFAULT_EF_SEARCH,
    DEFAULT_TOP_K,
    MAX_EF_SEARCH,
    MAX_TOP_K,
)
from embedding_project.contracts.text import checked_text
from embeddings_app.api.admission import admission
from embeddings_app.api.parsing import json_object
from embeddings_app.api.requests.fields import Fields, check_length, checked_string, integer_within, one_of
from embeddings_app.api.requests.names import model_id_of, namespace_of
from embeddings_app.api.routes.base import ApiView
from embeddings_app.api.schema import errors, parts
from embeddings_app.api.schema.operation import Answer, operation
from embeddings_app.models import Scope
from embeddings_app.services.search.hydration import SearchHit
from embeddings_app.services.search.searching import SearchRequest, SearchResult, search

Json = dict[str, Any]
MAX_TOKEN_LENGTH = 64 * 1024
"""A token names every shard; this is room for a thousand of them."""
_INCLUDABLE = ["metadata", "text"]
_DEFAULT_INCLUDE = ["metadata"]
_AUTO = "auto"
_EF_SEARCH = {"type": "integer", "minimum": 1, "maximum": MAX_EF_SEARCH}
_OPTIONS = {
    "top_k": parts.described(
        {"type": "integer", "minimum": 1, "maximum": MAX_TOP_K, "default": DEFAULT_TOP_K}, "How many hits at most."
    ),
    "filters": {"allOf": [parts.component("Filter")]},
    "namespace": parts.NAMESPACE,
    "model_id": parts.described(parts.MODEL_ID, "Checked against the model of the namespace."),
    "model_version": parts.ASKED_VERSION,
    "ef_search": parts.described(
        {"oneOf": [_EF_SEARCH, {"type": "string", "enum": [_AUTO]}], "default": DEFAULT_EF_SEARCH},
        "Breadth of the search in the graph: more finds more of the true neighbours, and takes longer. `auto` takes "
        "the smallest that, when last measured, reached the recall that the registry asks for.",
    ),
    "exact": parts.described(parts.BOOLEAN, "Compare with every vector instead of searching the graph.", default=False),
    "include": parts.array(
        {"type": "string", "enum": _INCLUDABLE},
        "What to return beside id and score.",
        maxItems=len(_INCLUDABLE),
        default=_DEFAULT_INCLUDE,
    ),
    "min_token": parts.described(
        parts.TOKEN, "From an upsert: search only an index that has reached it. Null asks for nothing."
    ),
    "allow_partial": parts.described(
        parts.BOOLEAN, "Whether to answer without a shard that is silent. If not, the answer then is 503.", default=True
    ),
}
_BY_TEXT = parts.request_body({"query": parts.TEXT, **_OPTIONS}, optional=tuple(_OPTIONS), title="By text")
_BY_VECTOR = parts.request_body({"vector": parts.VECTOR, **_OPTIONS}, optional=tuple(_OPTIONS), title="By vector")
_BY_EITHER = parts.record({"query": parts.TEXT, "vector": parts.VECTOR, **_OPTIONS})
_HIT = parts.record(
    {
        "id": parts.DOC_ID,
        "score": parts.described(parts.NUMBER, "Cosine similarity, -1 to 1; larger is nearer."),
        "metadata": parts.METADATA,
        "text": parts.STRING,
        "stale": parts.described(
            parts.BOOLEAN, "Present and true when the hit was found by the vector of an earlier text."
        ),
    },
    optional=("metadata", "text", "stale"),
)
_ANSWER = parts.record(
    {
        "hits": parts.array(_HIT, "Nearest first."),
        "partial": parts.described(parts.BOOLEAN, "A shard did not answer in time, so hits may be missing."),
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
        "ef_search": parts.described(parts.COUNT, "The breadth that was used."),
        "warnings": parts.array(
            parts.STRING, "Present when something in the query or the filter is probably a mistake."
        ),
    },
    optional=("warnings",),
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


class Search(ApiView):
    scopes = {"POST": (Scope.SEARCH,)}

    @operation(
        "search",
        "Search by meaning",
        tag="search",
        description="Never returns a deleted document, one of another namespace, or one that fails the filter now.",
        body={"oneOf": [_BY_TEXT, _BY_VECTOR]},
        body_examples={
            "by text": {"query": "where do foxes sleep?", "top_k": 3},
            "filtered": {"query": "dens", "filters": {"lang": "en", "year": {"gte": 2020}}, "exact": True},
        },
        answers=[Answer(_ANSWER, "The nearest documents.", {"one hit": _EXAMPLE})],
        errors=[
            *errors.GUARDED,
            *errors.NAMESPACED,
            *errors.BODY,
            *errors.TEXT,
            *errors.VECTOR,
            *errors.MODEL,
            *errors.EMBEDDING,
            *("unknown_namespace", "model_mismatch", "invalid_filter"),
            *("invalid_token", "token_expired", "not_caught_up", "index_unavailable"),
        ],
    )
    def post(self, request: Request) -> Response:
        wanted = search_request(json_object(request))
        with self.admitted(request, inputs=1, places=admission().searches, namespace=wanted.namespace):
            return Response(_answer(search(wanted)))


def search_request(body: dict[str, object]) -> SearchRequest:
    """Raises InvalidRequest."""
    fields = Fields(body, _BY_EITHER)
    if "query" in fields and "vector" in fields:
        raise InvalidRequest("invalid_value", "a search has a query or a vector, not both", field="vector")
    vector = fields.optional_items("vector")
    return SearchRequest(
        query=checked_text(fields.required("query"), "query") if vector is None else None,
        vector=vector,
        model_id=model_id_of(fields),
        model_version=fields.optional_integer("model_version"),
        namespace=namespace_of(fields),
        top_k=fields.integer("top_k"),
        filter=parse_filter(fields.optional("filters")),
        ef_search=_ef_search(fields),
        exact=fields.flag("exact"),
        include=_include(fields),
        min_token=_min_token(fields),
        allow_partial=fields.flag("allow_partial"),
    )


def _ef_search(fields: Fields) -> int | None:
    """None for `auto`."""
    value = fields.optional("ef_search")
    if value == _AUTO:
        return None
    if isinstance(value, str):
        raise InvalidRequest("invalid_value", f"a word in place of the number can only be {_AUTO}", field="ef_search")
    return DEFAULT_EF_SEARCH if value is None else integer_within(value, _EF_SEARCH, "ef_search")


def _include(fields: Fields) -> frozenset[str]:
    chosen = fields.optional_items("include")
    if chosen is None:
        return frozenset(_DEFAULT_INCLUDE)
    check_length(chosen, len(_INCLUDABLE), "include")
    return frozenset(one_of(item, _INCLUDABLE, f"include[{index}]") for index, item in enumerate(chosen))


def _min_token(fields: Fields) -> str | None:
    if "min_token" not in fields:
        return None
    token = checked_string(fields.required("min_token"), "min_token")
    if len(token) > MAX_TOKEN_LENGTH:
        raise InvalidRequest("invalid_token", field="min_token")
    return token


def _answer(result: SearchResult) -> Json:
    total, failed = result.shards_total, result.shards_failed
    answer: Json = {
        "hits": [_hit(hit) for hit in result.hits],
        "partial": bool(failed),
        "shards": {"total": total, "ok": total - len(failed), "failed": failed},
        "timings_ms": result.timings_ms,
        "model_id": result.model_id,
        "model_version": result.model_version,
        "ef_search": result.ef_search,
    }
    if result.warnings:
        answer["warnings"] = result.warnings
    return answer


def _hit(hit: SearchHit) -> Json:
    answer: Json = {"id": hit.doc_id, "score": hit.score}
    if hit.metadata is not None:
        answer["metadata"] = hit.metadata
    if hit.text is not None:
        answer["text"] = hit.text
    if hit.stale:
        answer["stale"] = True
    return answer
