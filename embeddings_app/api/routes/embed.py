"""POST /v1/embed and POST /v1/tokenize"""

from django.http import HttpResponse
from rest_framework.request import Request
from rest_framework.response import Response

from embeddings_app.api.admission import admission
from embeddings_app.api.embed_answers import binary_answer, embed_answer, tokenize_answer
from embeddings_app.api.middleware import caller_of
from embeddings_app.api.parsing import json_object
from embeddings_app.api.requests.embed import Encoding, embed_request, tokenize_request
from embeddings_app.api.routes.base import ApiView
from embeddings_app.api.schema.embed import EMBED
from embeddings_app.api.schema.tokenize import TOKENIZE
from embeddings_app.models import Scope
from embeddings_app.services.access.rate_limits import limiter
from embeddings_app.services.embedding.requests import embed, text_model
from embeddings_app.services.embedding.tokenize import tokenize


class Embed(ApiView):
    scopes = {"POST": (Scope.EMBED,)}

    @EMBED
    def post(self, request: Request) -> HttpResponse:
        wanted, encoding = embed_request(json_object(request))
        limiter().count_inputs(caller_of(request), len(wanted))
        with admission().embeds.one():
            result = embed(wanted)
        if encoding is Encoding.BINARY:
            return binary_answer(result)
        return Response(embed_answer(result, encoding))


class Tokenize(ApiView):
    scopes = {"POST": (Scope.EMBED,)}

    @TOKENIZE
    def post(self, request: Request) -> Response:
        wanted = tokenize_request(json_object(request))
        limiter().count_inputs(caller_of(request), len(wanted.texts))
        with admission().embeds.one():
            spec = text_model(wanted.model_id)
            texts = tokenize(spec, wanted.texts)
        return Response(tokenize_answer(spec.model_id, spec.version, texts, special=wanted.add_special_tokens))
