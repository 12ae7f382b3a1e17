"""POST /embed, GET /info and GET /health, as clients of text-embeddings-inference expect them"""

from django.http import HttpResponse
from rest_framework.request import Request
from rest_framework.response import Response

from embedding_project.contracts.errors import Unavailable
from embeddings_app.api.admission import admission
from embeddings_app.api.embed_answers import tei_answer
from embeddings_app.api.middleware import caller_of
from embeddings_app.api.parsing import json_object
from embeddings_app.api.requests.queries import check_parameters
from embeddings_app.api.requests.tei import tei_request
from embeddings_app.api.responses import tei_info
from embeddings_app.api.routes.base import ApiView
from embeddings_app.api.schema.tei import TEI_EMBED, TEI_HEALTH, TEI_INFO
from embeddings_app.models import Scope
from embeddings_app.services.access.rate_limits import limiter
from embeddings_app.services.embedding.requests import embed, text_model
from embeddings_app.services.operating.readiness import readiness_checks

_NEEDED = ("postgres", "broker", "embedders")
"""What an embed request depends on; without the cache it is slower."""


class TeiEmbed(ApiView):
    scopes = {"POST": (Scope.EMBED,)}

    @TEI_EMBED
    def post(self, request: Request) -> Response:
        wanted = tei_request(json_object(request))
        limiter().count_inputs(caller_of(request), len(wanted))
        with admission().embeds.one():
            result = embed(wanted)
        return Response(tei_answer(result))


class TeiInfo(ApiView):
    @TEI_INFO
    def get(self, request: Request) -> Response:
        check_parameters(request.query_params)
        return Response(tei_info(text_model(None)))


class TeiHealth(ApiView):
    @TEI_HEALTH
    def get(self, _request: Request) -> HttpResponse:
        checks = readiness_checks()
        if not all(checks[name].ok for name in _NEEDED):
            raise Unavailable("embedder_unavailable")
        return HttpResponse(b"", content_type="text/plain")
