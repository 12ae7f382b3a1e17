"""POST /v1/search"""

from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from embedding_project.contracts.errors import InvalidRequest
from embedding_project.contracts.filters import parse_filter
from embedding_project.contracts.limits import DEFAULT_EF_SEARCH, DEFAULT_TOP_K, MAX_EF_SEARCH, MAX_TOP_K
from embedding_project.contracts.text import checked_text
from embeddings_app.api.admission import admission
from embeddings_app.api.parsing import json_object
from embeddings_app.api.requests.fields import Fields, one_of, wrong_type
from embeddings_app.api.requests.names import model_id_of, namespace_of
from embeddings_app.api.routes.base import ApiView
from embeddings_app.api.schema import errors
from embeddings_app.api.schema.operation import Answer, operation
from embeddings_app.api.schema.parts import (
    BOOLEAN,
    COUNT,
    DOC_ID,
    METADATA,
    MODEL_ID,
    MODEL_VERSION,
    NAMESPACE,
    NUMBER,
    STRING,
    TEXT,
    TOKEN,
    VECTOR,
    array,
    component,
    described,
    record,
    request_body,
)
from embeddings_app.models import Scope
from embeddings_app.services.search.hydration import SearchHit
from embeddings_app.services.search.searching import SearchRequest, SearchResult, search

Json = dict[str, Any]
MAX_TOKEN_LENGTH = 64 * 1024
"""A token names every shard; this is room for a thousand of them."""
_INCLUDABLE = ["metadata", "text"]
_DEFAULT_INCLUDE = ["metadata"]
_OPTIONS = {
    "top_k": described(
        {"type": "integer", "minimum": 1, "maximum": MAX_TOP_K, "default": DEFAULT_TOP_K}, "How many hits at most."
    ),
    "filters": {"allOf": [component("Filter")]},
    "namespace": NAMESPACE,
    "model_id": described(MODEL_ID, "Checked against the model of the namespace."),
    "ef_search": described(
        {"type": "integer", "minimum": 1, "maximum": MAX_EF_SEARCH, "default": DEFAULT_EF_SEARCH},
        "Breadth of the search in the graph: more finds more of the true neighbours, and takes longer.",
    ),
    "exact": described(BOOLEAN, "Compare with every vector instead of searching the graph.", default=False),
    "include": array(
        {"type": "string", "enum": _INCLUDABLE},
        "What to return beside id and score.",
        maxItems=len(_INCLUDABLE),
        default=_DEFAULT_INCLUDE,
    ),
    "min_token": described(TOKEN, "From an upsert: search only an index that has reached it. Null asks for nothing."),
    "allow_partial": described(
        BOOLEAN, "Whether to answer without a shard that is silent. If not, the answer then is 503.", default=True
    ),
}
_BY_TEXT = request_body({"query": TEXT, **_OPTIONS}, optional=tuple(_OPTIONS), title="By text")
_BY_VECTOR = request_body({"vector": VECTOR, **_OPTIONS}, optional=tuple(_OPTIONS), title="By vector")
_BY_EITHER = record({"query": TEXT, "vector": VECTOR, **_OPTIONS})
_HIT = record(
    {
        "id": DOC_ID,
        "score": described(NUMBER, "Cosine similarity, -1 to 1; larger is nearer."),
        "metadata": METADATA,
        "text": STRING,
        "stale": described(BOOLEAN, "Present and true when the hit was found by the vector of an earlier text."),
    },
    optional=("metadata", "text", "stale"),
)
_ANSWER = record(
    {
        "hits": array(_HIT, "Nearest first."),
        "partial": described(BOOLEAN, "A shard did not answer in time, so hits may be missing."),
        "shards": record(
            {"total": COUNT, "ok": COUNT, "failed": array(COUNT, "Numbers of those that did not answer.")}
        ),
        "timings_ms": described({"type": "object", "additionalProperties": NUMBER}, "Milliseconds by stage."),
        "model_id": STRING,
        "model_version": MODEL_VERSION,
        "warnings": array(STRING, "Present when a field of the filter is in no document."),
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
        answers=[Answer(schema=_ANSWER, description="The nearest documents.", examples={"one hit": _EXAMPLE})],
        errors=[
            *errors.GUARDED,
            *errors.NAMESPACED,
            *errors.BODY,
            *errors.TEXT,
            *errors.VECTOR,
            *errors.MODEL,
            "invalid_filter",
            "vector_required",
            "invalid_token",
            "unknown_namespace",
            "model_mismatch",
            "token_expired",
            "model_error",
            "embedder_unavailable",
            "model_unavailable",
            "index_unavailable",
            "broker_unavailable",
            "not_caught_up",
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
        namespace=namespace_of(fields),
        top_k=fields.integer("top_k"),
        filter=parse_filter(fields.optional("filters")),
        ef_search=fields.integer("ef_search"),
        exact=fields.flag("exact"),
        include=_include(fields),
        min_token=_min_token(fields),
        allow_partial=fields.flag("allow_partial"),
    )


def _include(fields: Fields) -> frozenset[str]:
    chosen = fields.optional_items("include")
    if chosen is None:
        return frozenset(_DEFAULT_INCLUDE)
    if len(chosen) > len(_INCLUDABLE):
        raise InvalidRequest(
            "too_many_items", f"the list has {len(chosen)} items; {len(_INCLUDABLE)} are allowed", field="include"
        )
    return frozenset(one_of(item, _INCLUDABLE, f"include[{index}]") for index, item in enumerate(chosen))


def _min_token(fields: Fields) -> str | None:
    token = fields.optional("min_token")
    if token is not None and not isinstance(token, str):
        raise wrong_type("a string", "min_token")
    if token is not None and len(token) > MAX_TOKEN_LENGTH:
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
