"""POST /v1/upsert"""

from contextlib import nullcontext

from rest_framework.request import Request
from rest_framework.response import Response

from embeddings_app.api.admission import admission
from embeddings_app.api.middleware import caller_of
from embeddings_app.api.parsing import json_object
from embeddings_app.api.requests.upsert import upsert_request
from embeddings_app.api.responses import upsert_answer
from embeddings_app.api.routes.base import ApiView
from embeddings_app.api.schema.upsert import UPSERT
from embeddings_app.models import Scope
from embeddings_app.services.access.rate_limits import limiter
from embeddings_app.services.documents.upserting import Wait, upsert


class Upsert(ApiView):
    scopes = {"POST": (Scope.WRITE,)}

    @UPSERT
    def post(self, request: Request) -> Response:
        wanted = upsert_request(json_object(request))
        caller = caller_of(request)
        caller.require_namespace(wanted.namespace)
        limiter().count_inputs(caller, len(wanted.documents))
        with nullcontext() if wanted.wait is Wait.ACCEPTED else admission().waits.one():
            return Response(upsert_answer(upsert(wanted)))
