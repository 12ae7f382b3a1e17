"""Documents in answers, and the parts of requests that choose documents."""

from typing import Any

from embedding_project.contracts.limits import MAX_NAMED_DOCUMENTS
from embedding_project.contracts.names import checked_doc_id
from embeddings_app.api.requests.fields import Fields, check_length, one_of
from embeddings_app.api.schema import parts
from embeddings_app.services.documents import cursors
from embeddings_app.services.documents.cursors import Cursor
from embeddings_app.services.documents.reading import DocumentView

Json = dict[str, Any]
INCLUDABLE = ["metadata", "text", "vector"]
_DEFAULT_INCLUDE = ["metadata", "text"]
DOCUMENT = parts.record(
    {
        "id": parts.DOC_ID,
        "namespace": parts.STRING,
        "text": parts.described({"type": "string", "nullable": True}, "Null where none is stored."),
        "metadata": parts.METADATA,
        "revision": parts.REVISION,
        "state": {"type": "string", "enum": ["pending", "indexed", "quarantined"]},
        "stale": parts.described(parts.BOOLEAN, "Searches still use the vector of an earlier text."),
        "updated_at": {"type": "string", "format": "date-time"},
        "expires_at": parts.described({"type": "string", "format": "date-time", "nullable": True}, "Null: it stays."),
        "vector": parts.described(
            {"type": "array", "items": parts.NUMBER, "nullable": True},
            "Of unit length; only where asked for, and null until there is one.",
        ),
    },
    optional=("text", "metadata", "vector"),
)
EXAMPLE = {
    "id": "notes/1",
    "namespace": "default",
    "text": "Foxes live in dens.",
    "metadata": {"lang": "en"},
    "revision": 1,
    "state": "indexed",
    "stale": False,
    "updated_at": "2026-01-31T12:00:00+00:00",
    "expires_at": None,
}
INCLUDE = parts.array(
    {"type": "string", "enum": INCLUDABLE},
    "What to return of each document.",
    maxItems=len(INCLUDABLE),
    default=_DEFAULT_INCLUDE,
)
IDS = parts.array(parts.DOC_ID, f"1 to {MAX_NAMED_DOCUMENTS} ids.", minItems=1, maxItems=MAX_NAMED_DOCUMENTS)
FILTERS = {"allOf": [parts.component("Filter")]}
CURSOR = parts.described(
    {"type": "string", "maxLength": cursors.MAX_CURSOR_LENGTH}, "From `next` of an answer: go on from there."
)
NEXT = parts.described(
    {"type": "string", "nullable": True}, "Send it as `cursor` to go on; null when there is nothing left."
)


def include_of(fields: Fields) -> frozenset[str]:
    """Raises InvalidRequest."""
    chosen = fields.optional_items("include")
    if chosen is None:
        return frozenset(_DEFAULT_INCLUDE)
    check_length(chosen, len(INCLUDABLE), "include")
    return frozenset(one_of(item, INCLUDABLE, f"include[{index}]") for index, item in enumerate(chosen))


def ids_of(fields: Fields) -> tuple[str, ...]:
    """Each id once. Raises InvalidRequest."""
    ids = (checked_doc_id(item, f"ids[{index}]") for index, item in enumerate(fields.items("ids")))
    return tuple(dict.fromkeys(ids))


def cursor_of(fields: Fields) -> Cursor | None:
    """Raises InvalidRequest."""
    text = fields.optional_string("cursor")
    return None if text is None else cursors.decode(text)


def next_of(cursor: Cursor | None) -> str | None:
    return None if cursor is None else cursors.encode(cursor)


def document_json(document: DocumentView, include: frozenset[str]) -> Json:
    answer: Json = {
        "id": document.doc_id,
        "namespace": document.namespace,
        "revision": document.revision,
        "state": document.state,
        "stale": document.stale,
        "updated_at": document.updated_at,
        "expires_at": document.expires_at,
    }
    for name in INCLUDABLE:
        if name in include:
            answer[name] = getattr(document, name)
    return answer
