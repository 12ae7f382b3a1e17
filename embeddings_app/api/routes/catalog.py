"""GET /v1/namespaces/{name} and GET /v1/models"""

from rest_framework.request import Request
from rest_framework.response import Response

from embeddings_app.api.middleware import caller_of
from embeddings_app.api.requests.names import checked_namespace
from embeddings_app.api.requests.queries import check_parameters
from embeddings_app.api.responses import models_answer, namespace_answer
from embeddings_app.api.routes.base import ApiView
from embeddings_app.api.schema.catalog import GET_NAMESPACE, LIST_MODELS
from embeddings_app.models import Scope
from embeddings_app.services.documents.reading import list_models, namespace_status


class NamespaceOverview(ApiView):
    scopes = {"GET": (Scope.SEARCH, Scope.WRITE)}

    @GET_NAMESPACE
    def get(self, request: Request, name: str) -> Response:
        check_parameters(request.query_params)
        namespace = checked_namespace(name, "name")
        caller_of(request).require_namespace(namespace)
        return Response(namespace_answer(namespace_status(namespace)))


class Models(ApiView):
    @LIST_MODELS
    def get(self, request: Request) -> Response:
        check_parameters(request.query_params)
        return Response(models_answer(list_models()))
