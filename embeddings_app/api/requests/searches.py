"""Bodies of searches: what is looked for, and how."""

from collections.abc import Mapping
from typing import Any

from embedding_project.contracts.errors import InvalidRequest
from embedding_project.contracts.filters import parse_filter
from embedding_project.contracts.limits import (
    DEFAULT_EF_SEARCH,
    DEFAULT_TOP_K,
    MAX_EF_SEARCH,
    MAX_HIGHLIGHTED_HITS,
    MAX_LIKED_DOCUMENTS,
    MAX_TOP_K,
)
from embedding_project.contracts.names import checked_doc_id
from embedding_project.contracts.text import checked_text
from embeddings_app.api.requests.fields import (
    Fields,
    check_length,
    checked_items,
    checked_string,
    integer_within,
    one_of,
)
from embeddings_app.api.requests.names import model_id_of, namespace_of
from embeddings_app.api.requests.reranks import RERANK_OPTION, rerank_of
from embeddings_app.api.requests.text_queries import MODE_OPTIONS, mode_of, text_asked, weights_of
from embeddings_app.api.schema import parts
from embeddings_app.services.search.query_vectors import Liked, Wanted
from embeddings_app.services.search.searching import GroupsAsked, SearchRequest
from embeddings_app.services.search.text_query import Mode

MAX_TOKEN_LENGTH = 64 * 1024
"""A token names every shard; this is room for a thousand of them."""
MAX_TOKENS, MAX_GROUP_SIZE, MAX_FIELD_LENGTH = 32, 100, 512
_TOKEN = {"type": "string"}
_INCLUDABLE = ["metadata", "text", "vector"]
_DEFAULT_INCLUDE = ["metadata"]
_AUTO = "auto"
_EF_SEARCH = {"type": "integer", "minimum": 1, "maximum": MAX_EF_SEARCH}
_OPTIONS = {
    **MODE_OPTIONS,
    **RERANK_OPTION,
    "top_k": parts.described(
        {"type": "integer", "minimum": 1, "maximum": MAX_TOP_K, "default": DEFAULT_TOP_K}, "How many hits at most."
    ),
    "offset": parts.described(
        {"type": "integer", "minimum": 0, "maximum": MAX_TOP_K - 1, "default": 0},
        f"How many of the nearest hits to leave out. Together with top_k at most {MAX_TOP_K}.",
    ),
    "min_score": parts.described(
        {"type": "number", "minimum": -1, "maximum": 1},
        "Only hits with this cosine similarity or a higher one; in mode hybrid, of those found by meaning.",
    ),
    "mmr": parts.described(
        {"type": "number", "minimum": 0, "maximum": 1},
        "Hits that differ from each other, by maximal marginal relevance: 1 weighs the score alone, 0 the difference.",
    ),
    "group_by": parts.described(
        {"type": "string", "minLength": 1, "maxLength": MAX_FIELD_LENGTH},
        "A metadata field: the nearest groups, each with its nearest hits. top_k and offset then count groups.",
    ),
    "group_size": parts.described(
        {"type": "integer", "minimum": 1, "maximum": MAX_GROUP_SIZE, "default": 1},
        f"Hits of each group at most. Together (offset + top_k) * group_size is at most {MAX_TOP_K}.",
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
        {
            "oneOf": [_TOKEN, {"type": "array", "items": _TOKEN, "minItems": 1, "maxItems": MAX_TOKENS}],
            "nullable": True,
        },
        "From writes: search only an index that has reached it, or all of them. Null asks for nothing.",
    ),
    "allow_partial": parts.described(
        parts.BOOLEAN, "Whether to answer without a shard that is silent. If not, the answer then is 503.", default=True
    ),
}
_LIKED = parts.request_body(
    {
        "id": parts.DOC_ID,
        "weight": parts.described(
            {"type": "number", "minimum": 0, "maximum": 1_000, "default": 1}, "Beside the others."
        ),
    },
    optional=("weight",),
)
_DOCUMENTS = {
    "items": {"oneOf": [parts.DOC_ID, _LIKED]},
    "type": "array",
    "minItems": 1,
    "maxItems": MAX_LIKED_DOCUMENTS,
}
_LIKE = {
    "like": parts.described(
        _DOCUMENTS, "Documents of the namespace that the hits should be like; none of them is a hit."
    ),
}
_UNLIKE = {"unlike": parts.described(_DOCUMENTS, "Documents that the hits should be unlike.")}
BY_TEXT = parts.request_body({"query": parts.TEXT, **_OPTIONS}, optional=tuple(_OPTIONS), title="By text")
BY_VECTOR = parts.request_body({"vector": parts.VECTOR, **_OPTIONS}, optional=tuple(_OPTIONS), title="By vector")
BY_DOCUMENTS = parts.request_body(
    {**_LIKE, **_UNLIKE, **_OPTIONS}, optional=(*_UNLIKE, *_OPTIONS), title="Like documents"
)
BY_WORDS = parts.request_body(
    {"text_query": _OPTIONS["text_query"], **_OPTIONS},
    optional=tuple(name for name in _OPTIONS if name != "text_query"),
    title="By words",
)
_BY_ANY = parts.record({"query": parts.TEXT, "vector": parts.VECTOR, **_LIKE, **_UNLIKE, **_OPTIONS})


def search_request(body: object) -> SearchRequest:
    """Raises InvalidRequest."""
    fields = Fields(body, _BY_ANY)
    top_k, offset = fields.integer("top_k"), fields.integer("offset")
    if top_k + offset > MAX_TOP_K:
        message = f"offset and top_k are together at most {MAX_TOP_K}"
        raise InvalidRequest("invalid_value", message, field="offset")
    mode = mode_of(fields)
    rerank = rerank_of(fields)
    highlight = fields.flag("highlight")
    if highlight and top_k > MAX_HIGHLIGHTED_HITS:
        message = f"with highlight, top_k is at most {MAX_HIGHLIGHTED_HITS}"
        raise InvalidRequest("invalid_value", message, field="top_k")
    return SearchRequest(
        wanted=Wanted() if mode is Mode.TEXT else _wanted(fields),
        model_id=model_id_of(fields),
        model_version=fields.optional_integer("model_version"),
        namespace=namespace_of(fields),
        top_k=top_k,
        offset=offset,
        min_score=fields.optional_number("min_score"),
        diversity=fields.optional_number("mmr"),
        filter=parse_filter(fields.optional("filters")),
        ef_search=_ef_search(fields),
        exact=fields.flag("exact"),
        include=_include(fields),
        min_tokens=_min_tokens(fields),
        allow_partial=fields.flag("allow_partial"),
        mode=mode,
        text=text_asked(fields, mode),
        weights=weights_of(fields),
        highlight=highlight,
        groups=_groups(fields, top_k + offset),
        rerank=rerank,
    )


def search_requests(body: dict[str, object], schema: Mapping[str, Any]) -> list[SearchRequest | InvalidRequest]:
    """Each of the searches, or what is wrong with it. Raises InvalidRequest when there is no list of them."""
    return [_search_or_fault(item) for item in Fields(body, schema).items("searches")]


def _search_or_fault(item: object) -> SearchRequest | InvalidRequest:
    try:
        request = search_request(item)
        if request.groups is not None:
            raise InvalidRequest("invalid_value", "only POST /v1/search groups its hits", field="group_by")
        return request
    except InvalidRequest as error:
        return error


def _wanted(fields: Fields) -> Wanted:
    given = [name for name in ("query", "vector", "like") if name in fields]
    if len(given) > 1:
        message = "a search has a query, a vector or documents to be like: one of them"
        raise InvalidRequest("invalid_value", message, field=given[1])
    if "unlike" in fields and "like" not in fields:
        raise InvalidRequest("missing_field", "unlike needs like", field="like")
    if "like" in fields:
        return Wanted(liked=(*_liked(fields, "like", 1.0), *_liked(fields, "unlike", -1.0)))
    vector = fields.optional_vector("vector")
    if vector is not None:
        return Wanted(vector=vector)
    return Wanted(query=checked_text(fields.required("query"), "query"))


def _liked(fields: Fields, name: str, sign: float) -> list[Liked]:
    found = []
    for index, item in enumerate(fields.items(name) if name in fields else ()):
        path = f"{name}[{index}]"
        one = Fields(item if isinstance(item, dict) else {"id": item}, _LIKED, path)
        weight = one.optional_number("weight")
        doc_id = checked_doc_id(one.required("id"), path)
        found.append(Liked(doc_id, sign if weight is None else sign * weight, path))
    return found


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


def _groups(fields: Fields, number: int) -> GroupsAsked | None:
    field, size = fields.optional_string("group_by"), fields.integer("group_size")
    if field is None:
        if "group_size" in fields:
            raise InvalidRequest("missing_field", "group_size needs group_by", field="group_by")
        return None
    for name, given in {"mmr": "mmr" in fields, "highlight": fields.flag("highlight")}.items():
        if given:
            raise InvalidRequest("invalid_value", f"a search with group_by has no {name}", field=name)
    if number * size > MAX_TOP_K:
        message = f"(offset + top_k) * group_size is at most {MAX_TOP_K}"
        raise InvalidRequest("invalid_value", message, field="group_size")
    return GroupsAsked(field=field, size=size)


def _min_tokens(fields: Fields) -> dict[str, str]:
    """The field of each -> the token."""
    given = fields.optional("min_token")
    if isinstance(given, list):
        items = checked_items(given, MAX_TOKENS, "min_token")
        return {f"min_token[{index}]": _token(item, f"min_token[{index}]") for index, item in enumerate(items)}
    return {} if given is None else {"min_token": _token(given, "min_token")}


def _token(value: object, field: str) -> str:
    token = checked_string(value, field)
    if len(token) > MAX_TOKEN_LENGTH:
        raise InvalidRequest("invalid_token", field=field)
    return token
