"""POST /v1/documents/delete and /v1/documents/update: by ids, or by a filter."""

import time
from collections.abc import Mapping
from typing import Any

from django.http import HttpResponse
from rest_framework.request import Request
from rest_framework.response import Response

from embedding_project.contracts.errors import InvalidRequest
from embedding_project.contracts.filters import Filter, parse_filter
from embedding_project.contracts.limits import MAX_METADATA_KEY_LENGTH, MAX_METADATA_KEYS, WAIT_DEADLINE_SECONDS
from embedding_project.contracts.metadata import checked_metadata
from embeddings_app.api.admission import admission
from embeddings_app.api.document_answers import CURSOR, FILTERS, IDS, NEXT, cursor_of, ids_of, next_of
from embeddings_app.api.error_shapes import error_body
from embeddings_app.api.idempotency import KEY_PARAMETERS, answered_once, once_of
from embeddings_app.api.parsing import json_object
from embeddings_app.api.requests.fields import Fields, check_length, checked_string
from embeddings_app.api.requests.names import namespace_of
from embeddings_app.api.routes.base import ApiView
from embeddings_app.api.schema import errors, parts
from embeddings_app.api.schema.operation import Answer, operation
from embeddings_app.models import Scope
from embeddings_app.services import namespaces
from embeddings_app.services.documents.by_filter import Progress, delete_matching, update_matching
from embeddings_app.services.documents.cursors import Cursor
from embeddings_app.services.documents.deleting import delete_many
from embeddings_app.services.documents.listing import count_documents
from embeddings_app.services.documents.once import Once
from embeddings_app.services.documents.outcomes import Wait
from embeddings_app.services.documents.reading import read_documents
from embeddings_app.services.documents.updating import MetadataChange, Updated, searchable_token, update_many

_WRITE = {"POST": (Scope.WRITE,)}
_ERRORS = (
    *errors.GUARDED,
    *errors.NAMESPACED,
    *errors.BODY,
    "unknown_namespace",
    "invalid_filter",
    "busy",
    *errors.KEYED,
)
_ALL = parts.described({"type": "boolean", "enum": [True]}, "Every document of the namespace.")
_DRY_RUN = {"dry_run": parts.described(parts.BOOLEAN, "Only count what would be deleted.", default=False)}
_SET = {
    "wait": parts.described(
        {"type": "string", "enum": [Wait.ACCEPTED, Wait.SEARCHABLE], "default": Wait.ACCEPTED},
        "How far the change must have come before it is answered: durable, or applied by every replica that answers "
        "searches, for which the answer waits 10 seconds at most.",
    ),
    "set": parts.described(
        {"type": "object", "additionalProperties": True},
        "Fields and their new values. A nested object is replaced whole; other fields stay.",
    ),
    "unset": parts.array(
        {"type": "string", "maxLength": MAX_METADATA_KEY_LENGTH}, "Fields that go.", maxItems=MAX_METADATA_KEYS
    ),
}


def _choices(more: dict[str, parts.Schema]) -> list[parts.Schema]:
    """The ways to choose documents, each with what to do with them."""
    shared = {"namespace": parts.NAMESPACE, **more}
    walked = {"cursor": CURSOR, **shared}
    return [
        parts.request_body({"ids": IDS, **shared}, optional=tuple(shared), title="By ids"),
        parts.request_body({"filters": FILTERS, **walked}, optional=tuple(walked), title="By filter"),
        parts.request_body({"all": _ALL, **walked}, optional=tuple(walked), title="All documents"),
    ]


def _any_of(choices: list[parts.Schema]) -> parts.Schema:
    return parts.record({name: schema for choice in choices for name, schema in choice["properties"].items()})


_DELETES, _UPDATES = _choices(_DRY_RUN), _choices(_SET)
_DELETE, _UPDATE = _any_of(_DELETES), _any_of(_UPDATES)
_DELETED = parts.record(
    {
        "deleted": parts.described(parts.COUNT, "By this request; with dry_run, what it would delete."),
        "is_exact": parts.described(parts.BOOLEAN, "With dry_run. If not, the time was over and there are more."),
        "next": NEXT,
    },
    optional=("is_exact",),
)
_REFUSED = parts.record({"id": parts.DOC_ID, "error": parts.COMPONENTS["Error"]["properties"]["error"]})
_UPDATED = parts.record(
    {
        "matched": parts.described(parts.COUNT, "Documents that this request looked at."),
        "updated": parts.described(parts.COUNT, "Those of them whose metadata is another now."),
        "refused": parts.array(_REFUSED, "Documents whose metadata would break a limit; they keep what they had."),
        "token": parts.described(parts.STRING, "Position from which searches see the changes: send it as min_token."),
        "next": NEXT,
    }
)
_UPDATED_EXAMPLE = {"matched": 41, "updated": 40, "refused": [], "token": "WyJ4IiwxLDEse31d:1vP:a", "next": None}
_IN_STEPS = (
    "A change by filter goes through the documents for 5 seconds at most; send the same request again with `cursor` "
    "until `next` is null. What was done stays done."
)


class DocumentDelete(ApiView):
    scopes = _WRITE

    @operation(
        "delete_documents",
        "Delete documents",
        tag="documents",
        description=f"By ids, or by filter. No search that starts after the answer finds them. {_IN_STEPS}",
        parameters=KEY_PARAMETERS,
        body={"oneOf": _DELETES},
        body_examples={
            "by ids": {"ids": ["notes/1", "notes/2"]},
            "by filter": {"filters": {"page": "handbook"}},
        },
        answers=[Answer(_DELETED, "What was deleted.", {"done": {"deleted": 41, "next": None}})],
        errors=_ERRORS,
    )
    def post(self, request: Request) -> HttpResponse:
        fields = Fields(json_object(request), _DELETE)
        namespace, ids, filter_, cursor = _chosen(fields)
        once = once_of(request, _gone, is_one_write=bool(ids) and not fields.flag("dry_run"))
        places = None if ids else admission().walks
        with self.admitted(request, inputs=len(ids) or 1, places=places, namespace=namespace):
            if fields.flag("dry_run"):
                return Response(_counted(namespace, ids, filter_))
            if ids:
                return answered_once(once, lambda: delete_many(namespaces.namespace(namespace), ids, once=once), _gone)
            done = delete_matching(namespace, filter_, cursor)
        return Response({"deleted": done.changed, "next": next_of(done.after)})


class DocumentUpdate(ApiView):
    scopes = _WRITE

    @operation(
        "update_documents",
        "Change metadata",
        tag="documents",
        description=f"By ids, or by filter; texts and vectors stay as they are. {_IN_STEPS}",
        parameters=KEY_PARAMETERS,
        body={"oneOf": _UPDATES},
        body_examples={
            "by ids": {"ids": ["notes/1"], "set": {"year": 2026}, "unset": ["draft"]},
            "by filter": {"filters": {"lang": "de"}, "set": {"reviewed": True}},
        },
        answers=[Answer(_UPDATED, "What was changed.", {"done": _UPDATED_EXAMPLE})],
        errors=[*_ERRORS, "too_many_fields", "invalid_number", "invalid_text"],
    )
    def post(self, request: Request) -> HttpResponse:
        fields = Fields(json_object(request), _UPDATE)
        namespace, ids, filter_, cursor = _chosen(fields)
        change, waits = _change(fields), fields.choice("wait") == Wait.SEARCHABLE
        deadline = time.monotonic() + WAIT_DEADLINE_SECONDS if waits else None
        places = admission().waits if waits else None if ids else admission().walks

        def token(give_up: float | None) -> str:
            return searchable_token(namespaces.namespace(namespace), give_up)

        once: Once[Updated] | None = once_of(request, lambda done: _updated(done, token(None)), is_one_write=bool(ids))
        with self.admitted(request, inputs=len(ids) or 1, places=places, namespace=namespace):
            if ids:
                return answered_once(
                    once,
                    lambda: update_many(namespaces.namespace(namespace), ids, change, once=once),
                    lambda done: _updated(done, token(deadline)),
                )
            walked = update_matching(namespace, filter_, change, cursor)
            return Response(_updated(walked, token(deadline)))


def _gone(deleted: int) -> dict[str, Any]:
    return {"deleted": deleted, "next": None}


def _updated(done: Updated | Progress, token: str) -> dict[str, Any]:
    return {
        "matched": done.matched,
        "updated": done.changed,
        "refused": [{"id": item.doc_id, **error_body(item.error)} for item in done.refused],
        "token": token,
        "next": next_of(done.after) if isinstance(done, Progress) else None,
    }


def _chosen(fields: Fields) -> tuple[str, tuple[str, ...], Filter | None, Cursor | None]:
    """Namespace, ids, filter and cursor. Raises InvalidRequest unless exactly one of ids, filters and all is given."""
    filter_ = parse_filter(fields.optional("filters"))
    given = [
        name
        for name, is_given in (("ids", "ids" in fields), ("filters", filter_), ("all", fields.optional_flag("all")))
        if is_given
    ]
    if not given:
        raise InvalidRequest("missing_field", 'one of ids, filters and "all": true is required', field="filters")
    if len(given) > 1:
        raise InvalidRequest("invalid_value", f"{' and '.join(given)} cannot be given together", field=given[-1])
    ids = ids_of(fields) if "ids" in fields else ()
    if ids and "cursor" in fields:
        raise InvalidRequest("invalid_value", "a request with ids has no cursor", field="cursor")
    return namespace_of(fields), ids, filter_, cursor_of(fields)


def _change(fields: Fields) -> MetadataChange:
    """Raises InvalidRequest."""
    new = checked_metadata(fields.optional("set") if "set" in fields else {}, "set")
    unset = fields.optional_items("unset") or []
    check_length(unset, MAX_METADATA_KEYS, "unset")
    names = tuple(checked_string(name, f"unset[{index}]") for index, name in enumerate(unset))
    if not new and not names:
        raise InvalidRequest("missing_field", "set or unset is required", field="set")
    if both := sorted(set(names).intersection(new)):
        raise InvalidRequest("invalid_value", f"{both[0]!r} is in set too", field="unset")
    return MetadataChange(new, names)


def _counted(namespace: str, ids: tuple[str, ...], filter_: Filter | None) -> Mapping[str, Any]:
    """What a delete would do; for a filter as far as it can be counted in time."""
    if ids:
        return {"deleted": len(read_documents(namespace, ids, False)), "is_exact": True, "next": None}
    counted = count_documents(namespace, filter_)
    return {"deleted": counted.count, "is_exact": counted.is_exact, "next": None}
