"""GET and DELETE /v1/vectors/{doc_id}"""

from typing import Any

from django.http import HttpResponse
from drf_spectacular.utils import OpenApiParameter
from rest_framework.request import Request
from rest_framework.response import Response

from embeddings_app.api.document_answers import DOCUMENT, EXAMPLE, document_json
from embeddings_app.api.idempotency import KEY_PARAMETERS, answered_once, once_of
from embeddings_app.api.middleware import caller_of
from embeddings_app.api.requests.fields import one_of
from embeddings_app.api.requests.names import doc_id_in_path, namespace_parameter
from embeddings_app.api.routes.base import ApiView
from embeddings_app.api.schema import errors, parts
from embeddings_app.api.schema.operation import Answer, operation
from embeddings_app.models import Scope
from embeddings_app.services.documents.deleting import DeleteResult, delete
from embeddings_app.services.documents.reading import read_document

_STORED = {"metadata", "text"}
_PATH = OpenApiParameter(
    "doc_id",
    parts.DOC_ID,
    OpenApiParameter.PATH,
    description="The rest of the path, percent-decoded: slashes may stand plain or as %2F.",
)
_NAMESPACE = OpenApiParameter("namespace", parts.NAMESPACE, OpenApiParameter.QUERY)
_INCLUDE = OpenApiParameter(
    "include", {"type": "string", "enum": ["vector"]}, OpenApiParameter.QUERY, description="Also return the vector."
)
_ERRORS = (*errors.GUARDED, *errors.NAMESPACED, "unknown_namespace")
_DELETED = parts.record(
    {
        "id": parts.DOC_ID,
        "revision": parts.described(parts.REVISION, "Of the tombstone; 0 when there never was such a document."),
        "deleted": parts.described(parts.BOOLEAN, "Whether this request deleted it."),
    }
)


class Document(ApiView):
    scopes = {"GET": (Scope.SEARCH, Scope.WRITE), "DELETE": (Scope.WRITE,)}
    parameters = {"GET": ("namespace", "include"), "DELETE": ("namespace",)}

    @operation(
        "get_document",
        "Read a document",
        tag="documents",
        parameters=[_PATH, _NAMESPACE, _INCLUDE],
        answers=[Answer(DOCUMENT, "The document as it is stored.", {"document": EXAMPLE})],
        errors=[*_ERRORS, *errors.MODEL, "invalid_type", "unknown_document"],
    )
    def get(self, request: Request, doc_id: str) -> Response:
        doc_id = doc_id_in_path(doc_id, request.META)
        parameters = request.query_params
        with_vector = "include" in parameters and one_of(parameters["include"], ["vector"], "include") == "vector"
        document = read_document(_permitted_namespace(request), doc_id, with_vector)
        return Response(document_json(document, frozenset(_STORED | {"vector"} if with_vector else _STORED)))

    @operation(
        "delete_document",
        "Delete a document",
        tag="documents",
        description="No search that starts after the answer finds it. Deleting what is not there is no error.",
        parameters=[_PATH, _NAMESPACE, *KEY_PARAMETERS],
        answers=[
            Answer(_DELETED, "The document is gone.", {"deleted": {"id": "notes/1", "revision": 2, "deleted": True}})
        ],
        errors=[*_ERRORS, *errors.KEYED, "busy"],
    )
    def delete(self, request: Request, doc_id: str) -> HttpResponse:
        doc_id = doc_id_in_path(doc_id, request.META)
        namespace = _permitted_namespace(request)

        def body_of(result: DeleteResult) -> dict[str, Any]:
            return {"id": doc_id, "revision": result.revision, "deleted": result.deleted}

        once = once_of(request, body_of)
        return answered_once(once, lambda: delete(namespace, doc_id, once), body_of)


def _permitted_namespace(request: Request) -> str:
    namespace = namespace_parameter(request.query_params)
    caller_of(request).require_namespace(namespace)
    return namespace
