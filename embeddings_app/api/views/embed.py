"""POST /v1/embed"""

from rest_framework.request import Request
from rest_framework.response import Response

from embeddings_app.api.admission import admission
from embeddings_app.api.middleware import caller_of
from embeddings_app.api.parsing import json_object
from embeddings_app.api.requests.embed import embed_request
from embeddings_app.api.responses import embed_answer
from embeddings_app.api.schema.embed import EMBED
from embeddings_app.api.views.base import ApiView
from embeddings_app.models import Scope
from embeddings_app.services.embedding import embed
from embeddings_app.services.limits import limiter


class Embed(ApiView):
    scopes = {"POST": (Scope.EMBED,)}

    @EMBED
    def post(self, request: Request) -> Response:
        wanted = embed_request(json_object(request))
        limiter().count_inputs(caller_of(request), len(wanted.texts))
        with admission().embeds.one():
            return Response(embed_answer(embed(wanted)))
