"""GET /v1/namespaces; GET, PUT, PATCH and DELETE /v1/namespaces/{name}"""

from dataclasses import asdict
from typing import Any

from drf_spectacular.utils import OpenApiParameter
from rest_framework.request import Request
from rest_framework.response import Response

from embedding_project.contracts.languages import TEXT_SEARCH
from embedding_project.contracts.names import NAMESPACE_PATTERN, checked_namespace
from embeddings_app.api.middleware import caller_of
from embeddings_app.api.parsing import json_object, optional_object
from embeddings_app.api.requests.fields import Fields, one_of
from embeddings_app.api.requests.names import model_id_of
from embeddings_app.api.requests.paging import PAGE_PARAMETERS, limit_of
from embeddings_app.api.routes.base import ApiView
from embeddings_app.api.schema import errors, parts, paths
from embeddings_app.api.schema.operation import Answer, operation
from embeddings_app.models import Scope
from embeddings_app.services import audit
from embeddings_app.services.documents import namespace_changes
from embeddings_app.services.documents.namespace_status import namespace_status

Json = dict[str, Any]
_NAME = {"type": "string", "pattern": NAMESPACE_PATTERN}
_STATUS = parts.record(
    {
        "name": parts.STRING,
        "model_id": parts.STRING,
        "count": parts.described(parts.COUNT, "Documents."),
        "pending": parts.described(parts.COUNT, "Documents that wait for the vector of their text."),
        "searchable": parts.described(parts.COUNT, "Documents that every answering replica has applied."),
        "quarantined": parts.described(parts.COUNT, "Documents whose text could not be embedded."),
        "count_is_exact": parts.described(
            parts.BOOLEAN, "If not, there is more than these numbers say: they stop at 100,000."
        ),
        "fields": parts.array(parts.STRING, "Metadata fields that count for the limit of 64."),
        "unused_fields": parts.described(
            parts.array(parts.STRING),
            "Those of them that no document has. null when that takes too long to say.",
            nullable=True,
        ),
        "last_write_at": parts.described(
            {"type": "string", "format": "date-time", "nullable": True},
            "When the newest document was written; null without documents, and when the count is not exact.",
        ),
        "text_search": parts.record(
            {
                "language": parts.described(parts.STRING, "Or off."),
                "documents": parts.described(parts.COUNT, "Documents whose words are kept; stops at 100,000 too."),
                "complete": parts.described(
                    parts.BOOLEAN, "If not, words of documents from before the setting was changed still follow it."
                ),
            }
        ),
    }
)
_STATUS_EXAMPLE = {
    "name": "default",
    "model_id": "all-MiniLM-L6-v2",
    "count": 1200,
    "pending": 3,
    "searchable": 1197,
    "quarantined": 0,
    "count_is_exact": True,
    "fields": ["author.name", "lang"],
    "unused_fields": [],
    "last_write_at": "2026-01-31T12:00:00+00:00",
    "text_search": {"language": "english", "documents": 1200, "complete": True},
}
_PATH = OpenApiParameter("name", _NAME, OpenApiParameter.PATH)
_TEXT_SEARCH = parts.described(
    {"type": "string", "enum": list(TEXT_SEARCH)},
    "Language of the words that a search can find, or off. simple takes words as they stand. A new namespace has off.",
)
_SETTINGS = parts.request_body(
    {
        "model_id": parts.described(parts.MODEL_ID, "Left out: the default model."),
        "store_text": parts.described(
            parts.BOOLEAN,
            "Whether texts are kept. If not, they go as soon as they are embedded, and a change of the model asks the "
            "clients to send them again.",
            default=True,
        ),
        "text_search": _TEXT_SEARCH,
    },
    optional=("model_id", "store_text", "text_search"),
)
_CHANGE = parts.request_body({"text_search": _TEXT_SEARCH}, optional=())
_ENTRY = parts.record(
    {
        "name": parts.STRING,
        "model_id": parts.STRING,
        "store_text": parts.BOOLEAN,
        "text_search": parts.described(parts.STRING, "Language of the words that a search can find, or off."),
        "created_at": {"type": "string", "format": "date-time"},
        "count": parts.described(parts.COUNT, "Documents."),
        "count_is_exact": parts.described(parts.BOOLEAN, "If not, there are more: the count stops at 1,000."),
    }
)
_ENTRY_EXAMPLE = {
    "name": "default",
    "model_id": "all-MiniLM-L6-v2",
    "store_text": True,
    "text_search": "off",
    "created_at": "2026-01-31T12:00:00+00:00",
    "count": 1200,
    "count_is_exact": True,
}
_LIST = parts.record(
    {
        "namespaces": parts.array(_ENTRY, "In the order of their names; those that the key may use."),
        "next": parts.described(
            {"type": "string", "nullable": True}, "Send it as `after` to get the next page; null when there is none."
        ),
    }
)
_AFTER = OpenApiParameter("after", _NAME, OpenApiParameter.QUERY, description="`next` of the page before.")
_DROPPED = parts.record(
    {"name": parts.STRING, "dropped": parts.described(parts.BOOLEAN, "Whether this request dropped it.")}
)


class Namespaces(ApiView):
    scopes = {"GET": (Scope.SEARCH, Scope.WRITE)}
    parameters = {"GET": PAGE_PARAMETERS}

    @operation(
        "list_namespaces",
        "List the namespaces",
        tag="documents",
        parameters=[paths.LIMIT, _AFTER],
        answers=[Answer(_LIST, "A page of them.", {"one": {"namespaces": [_ENTRY_EXAMPLE], "next": None}})],
        errors=errors.GUARDED,
    )
    def get(self, request: Request) -> Response:
        limit = limit_of(request.query_params)
        after = checked_namespace(request.query_params["after"], "after") if "after" in request.query_params else ""
        found = namespace_changes.list_namespaces(caller_of(request).namespaces, after, limit + 1)
        shown = found[:limit]
        return Response(
            {
                "namespaces": [asdict(entry) for entry in shown],
                "next": shown[-1].name if len(found) > limit else None,
            }
        )


class OneNamespace(ApiView):
    scopes = {
        "GET": (Scope.SEARCH, Scope.WRITE),
        "PUT": (Scope.WRITE,),
        "PATCH": (Scope.WRITE,),
        "DELETE": (Scope.WRITE,),
    }

    @operation(
        "get_namespace",
        "Count the documents of a namespace",
        tag="documents",
        parameters=[_PATH],
        answers=[Answer(_STATUS, "How far its documents have come.", {"namespace": _STATUS_EXAMPLE})],
        errors=[*errors.GUARDED, *errors.NAMESPACED, *errors.MODEL, "unknown_namespace"],
    )
    def get(self, request: Request, name: str) -> Response:
        return Response(asdict(namespace_status(_permitted(request, name))))

    @operation(
        "create_namespace",
        "Make a namespace",
        tag="documents",
        description="A write makes one too, with the default settings. Making it again changes nothing.",
        parameters=[_PATH],
        body=_SETTINGS,
        body_examples={"without texts": {"store_text": False}},
        answers=[
            Answer(_ENTRY, "There was one with these settings.", {"as it is": _ENTRY_EXAMPLE}),
            Answer(_ENTRY, "It was made now.", {"new": {**_ENTRY_EXAMPLE, "count": 0}}, status=201),
        ],
        errors=[
            *errors.GUARDED,
            *errors.NAMESPACED,
            *errors.BODY,
            *errors.MODEL,
            "namespace_exists",
            "text_not_kept",
            "busy",
        ],
    )
    def put(self, request: Request, name: str) -> Response:
        namespace = _permitted(request, name)
        fields = Fields(optional_object(request), _SETTINGS)
        entry, made = namespace_changes.create(
            namespace,
            model_id_of(fields),
            store_text=fields.flag("store_text"),
            text_search=fields.optional_choice("text_search"),
            actor=_actor(request),
        )
        return Response(asdict(entry), status=201 if made else 200)

    @operation(
        "change_namespace",
        "Switch text search on or off",
        tag="documents",
        description="Later writes follow it at once; the words of documents that are there follow in the background.",
        parameters=[_PATH],
        body=_CHANGE,
        body_examples={"English": {"text_search": "english"}},
        answers=[Answer(_ENTRY, "It has the setting.", {"English": {**_ENTRY_EXAMPLE, "text_search": "english"}})],
        errors=[*errors.GUARDED, *errors.NAMESPACED, *errors.BODY, "unknown_namespace", "text_not_kept", "busy"],
    )
    def patch(self, request: Request, name: str) -> Response:
        namespace = _permitted(request, name)
        fields = Fields(json_object(request), _CHANGE)
        language = one_of(fields.required("text_search"), list(TEXT_SEARCH), "text_search")
        return Response(asdict(namespace_changes.change_text_search(namespace, language, _actor(request))))

    @operation(
        "drop_namespace",
        "Drop a namespace with all its documents",
        tag="documents",
        description=(
            "Nobody finds it after the answer, which takes a second, and its name is free at once. Its documents, "
            "vectors and what index nodes hold of them go in the background. Dropping what is not there is no error."
        ),
        parameters=[_PATH],
        answers=[Answer(_DROPPED, "It is gone.", {"dropped": {"name": "animals", "dropped": True}})],
        errors=[*errors.GUARDED, *errors.NAMESPACED, "namespace_in_use", "busy"],
    )
    def delete(self, request: Request, name: str) -> Response:
        namespace = _permitted(request, name)
        return Response({"name": namespace, "dropped": namespace_changes.drop(namespace, _actor(request))})


def _permitted(request: Request, name: str) -> str:
    namespace = checked_namespace(name, "name")
    caller_of(request).require_namespace(namespace)
    return namespace


def _actor(request: Request) -> str:
    return audit.caller_actor(caller_of(request).name)
