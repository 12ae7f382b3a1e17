"""What of a search asks for its hits to be ranked once more."""

from embedding_project.contracts.errors import InvalidRequest
from embedding_project.contracts.limits import MAX_RERANK_DOCUMENTS
from embedding_project.contracts.text import checked_text
from embeddings_app.api.requests.fields import Fields
from embeddings_app.api.requests.names import checked_model_id
from embeddings_app.api.schema import parts
from embeddings_app.services.search.reranking_hits import RerankAsked

DEFAULT_TOP = 50
_RERANK = parts.request_body(
    {
        "model": parts.described(parts.MODEL_ID, "A cross-encoder. Left out: the only one that is active."),
        "top": parts.described(
            {"type": "integer", "minimum": 1, "maximum": MAX_RERANK_DOCUMENTS, "default": DEFAULT_TOP},
            "How many of the first hits.",
        ),
        "query": parts.described(parts.TEXT, "What to rank for. Left out: the text of the search."),
    },
    optional=("model", "top", "query"),
)
RERANK_OPTION = {
    "rerank": parts.described(_RERANK, "Rank the first hits once more, by a model that reads their texts.")
}


def rerank_of(fields: Fields) -> RerankAsked | None:
    """Raises InvalidRequest."""
    if "rerank" not in fields:
        return None
    for other in ("mmr", "group_by"):
        if other in fields:
            raise InvalidRequest("invalid_value", f"a search has {other} or rerank", field=other)
    asked = Fields(fields.optional("rerank"), _RERANK, "rerank")
    query = checked_text(asked.required("query"), asked.path("query")) if "query" in asked else None
    if query is None and "query" not in fields and not _has_words(fields.optional("text_query")):
        message = "beside a vector or documents, say what to rank for"
        raise InvalidRequest("missing_field", message, field="rerank.query")
    model = checked_model_id(asked.required("model"), asked.path("model")) if "model" in asked else None
    return RerankAsked(model_id=model, query=query, top=asked.integer("top"))


def _has_words(text_query: object) -> bool:
    return bool(text_query.get("words")) if isinstance(text_query, dict) else text_query is not None
