"""POST /v1/search"""

from rest_framework.request import Request
from rest_framework.response import Response

from embeddings_app.api.admission import admission
from embeddings_app.api.middleware import caller_of
from embeddings_app.api.parsing import json_object
from embeddings_app.api.requests.search import search_request
from embeddings_app.api.responses import search_answer
from embeddings_app.api.routes.base import ApiView
from embeddings_app.api.schema.search import SEARCH
from embeddings_app.models import Scope
from embeddings_app.services.access.rate_limits import limiter
from embeddings_app.services.search.searching import search


class Search(ApiView):
    scopes = {"POST": (Scope.SEARCH,)}

    @SEARCH
    def post(self, request: Request) -> Response:
        wanted = search_request(json_object(request))
        caller = caller_of(request)
        caller.require_namespace(wanted.namespace)
        limiter().count_inputs(caller, 1)
        with admission().searches.one():
            return Response(search_answer(search(wanted)))
