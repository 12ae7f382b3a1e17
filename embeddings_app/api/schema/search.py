"""POST /v1/search"""

from drf_spectacular.utils import OpenApiExample, OpenApiRequest, OpenApiResponse, extend_schema

from embedding_project.contracts.limits import DEFAULT_EF_SEARCH, DEFAULT_TOP_K, MAX_EF_SEARCH, MAX_TOP_K
from embeddings_app.api.schema import errors
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
)

_OPTIONS = {
    "top_k": described(
        {"type": "integer", "minimum": 1, "maximum": MAX_TOP_K, "default": DEFAULT_TOP_K}, "How many hits at most."
    ),
    "filters": {"allOf": [component("Filter")], "nullable": True},
    "namespace": NAMESPACE,
    "model_id": described(MODEL_ID, "Checked against the model of the namespace."),
    "ef_search": described(
        {"type": "integer", "minimum": 1, "maximum": MAX_EF_SEARCH, "default": DEFAULT_EF_SEARCH},
        "Breadth of the search in the graph: more finds more of the true neighbours, and takes longer.",
    ),
    "exact": described(BOOLEAN, "Compare with every vector instead of searching the graph.", default=False),
    "include": array(
        {"type": "string", "enum": ["metadata", "text"]},
        "What to return beside id and score.",
        maxItems=2,
        default=["metadata"],
    ),
    "min_token": described(TOKEN, "From an upsert: search only an index that has reached it. Null asks for nothing."),
    "allow_partial": described(
        BOOLEAN, "Whether to answer without a shard that is silent. If not, the answer then is 503.", default=True
    ),
}
_REQUEST = {
    "oneOf": [
        record({"query": TEXT, **_OPTIONS}, optional=tuple(_OPTIONS), title="By text"),
        record({"vector": VECTOR, **_OPTIONS}, optional=tuple(_OPTIONS), title="By vector"),
    ]
}
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
    }
)

SEARCH = extend_schema(
    operation_id="search",
    summary="Search by meaning",
    description="Never returns a deleted document, one of another namespace, or one that fails the filter now.",
    tags=["search"],
    parameters=[errors.RETRY_AFTER, errors.REQUEST_ID],
    request={
        "application/json": OpenApiRequest(
            _REQUEST,
            examples=[
                OpenApiExample("by text", value={"query": "where do foxes sleep?", "top_k": 3}),
                OpenApiExample(
                    "filtered", value={"query": "dens", "filters": {"lang": "en", "year": {"gte": 2020}}, "exact": True}
                ),
            ],
        )
    },
    responses={
        200: OpenApiResponse(
            _ANSWER,
            description="The nearest documents.",
            examples=[
                OpenApiExample(
                    "one hit",
                    value={
                        "hits": [{"id": "notes/1", "score": 0.71, "metadata": {"lang": "en"}}],
                        "partial": False,
                        "shards": {"total": 2, "ok": 2, "failed": []},
                        "timings_ms": {"embed": 4.1, "shards": 5.0, "nodes": 1.1, "hydrate": 1.2, "total": 10.5},
                        "model_id": "all-MiniLM-L6-v2",
                        "model_version": 1,
                    },
                )
            ],
        ),
        **errors.error_answers(
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
            "database_unavailable",
            "not_caught_up",
        ),
    },
)
