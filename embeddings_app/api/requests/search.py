"""Bodies of /v1/search."""

from embedding_project.contracts.errors import InvalidRequest
from embedding_project.contracts.filters import parse_filter
from embedding_project.contracts.limits import DEFAULT_EF_SEARCH, DEFAULT_TOP_K, MAX_EF_SEARCH, MAX_TOP_K
from embedding_project.contracts.text import checked_text
from embeddings_app.api.requests.fields import Fields, one_of, wrong_type
from embeddings_app.api.requests.names import model_id_of, namespace_of
from embeddings_app.services.search.searching import SearchRequest

INCLUDABLE = ("metadata", "text")
DEFAULT_INCLUDE = frozenset({"metadata"})
MAX_TOKEN_LENGTH = 64 * 1024
"""A token names every shard; this is room for a thousand of them."""
_KNOWN = frozenset(
    {
        "query",
        "vector",
        "model_id",
        "top_k",
        "filters",
        "namespace",
        "ef_search",
        "exact",
        "include",
        "min_token",
        "allow_partial",
    }
)


def search_request(body: dict[str, object]) -> SearchRequest:
    """Raises InvalidRequest."""
    fields = Fields(body)
    fields.refuse_others(_KNOWN)
    if "query" in fields and "vector" in fields:
        raise InvalidRequest("invalid_value", "give a query or a vector, not both", field="vector")
    vector = fields.optional_items("vector")
    return SearchRequest(
        query=checked_text(fields.required("query"), "query") if vector is None else None,
        vector=vector,
        model_id=model_id_of(fields),
        namespace=namespace_of(fields),
        top_k=fields.integer("top_k", DEFAULT_TOP_K, 1, MAX_TOP_K),
        filter=parse_filter(fields.optional("filters")),
        ef_search=fields.integer("ef_search", DEFAULT_EF_SEARCH, 1, MAX_EF_SEARCH),
        exact=fields.boolean("exact", None) or False,
        include=_include(fields),
        min_token=_min_token(fields),
        allow_partial=fields.boolean("allow_partial", True) is True,
    )


def _include(fields: Fields) -> frozenset[str]:
    chosen = fields.optional_items("include")
    if chosen is None:
        return DEFAULT_INCLUDE
    if len(chosen) > len(INCLUDABLE):
        raise InvalidRequest("too_many_items", f"at most {len(INCLUDABLE)}", field="include")
    return frozenset(one_of(item, INCLUDABLE, f"include[{index}]") for index, item in enumerate(chosen))


def _min_token(fields: Fields) -> str | None:
    # Null is taken, since it is what an upsert answers while there is no token yet.
    token = fields.optional("min_token")
    if token is not None and not isinstance(token, str):
        raise wrong_type("a string or null", "min_token")
    if token is not None and len(token) > MAX_TOKEN_LENGTH:
        raise InvalidRequest("invalid_token", field="min_token")
    return token
