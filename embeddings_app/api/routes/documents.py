"""GET and DELETE /v1/vectors/{doc_id}"""

from rest_framework.request import Request
from rest_framework.response import Response

from embeddings_app.api.middleware import caller_of
from embeddings_app.api.requests.queries import (
    check_parameters,
    doc_id_in_path,
    include_vector,
    namespace_parameter,
)
from embeddings_app.api.responses import delete_answer, document_answer
from embeddings_app.api.routes.base import ApiView
from embeddings_app.api.schema.documents import DELETE_DOCUMENT, GET_DOCUMENT
from embeddings_app.models import Scope
from embeddings_app.services.documents.deleting import delete
from embeddings_app.services.documents.reading import read_document


class Document(ApiView):
    scopes = {"GET": (Scope.SEARCH, Scope.WRITE), "DELETE": (Scope.WRITE,)}

    @GET_DOCUMENT
    def get(self, request: Request, doc_id: str) -> Response:
        doc_id = doc_id_in_path(doc_id, request.META)
        check_parameters(request.query_params, "namespace", "include")
        with_vector = include_vector(request.query_params)
        document = read_document(_permitted_namespace(request), doc_id, with_vector)
        return Response(document_answer(document, with_vector=with_vector))

    @DELETE_DOCUMENT
    def delete(self, request: Request, doc_id: str) -> Response:
        doc_id = doc_id_in_path(doc_id, request.META)
        check_parameters(request.query_params, "namespace")
        return Response(delete_answer(delete(_permitted_namespace(request), doc_id)))


def _permitted_namespace(request: Request) -> str:
    namespace = namespace_parameter(request.query_params)
    caller_of(request).require_namespace(namespace)
    return namespace
