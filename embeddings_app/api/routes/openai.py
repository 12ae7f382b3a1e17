"""POST /v1/embeddings and GET /v1/models/{model_id}, as clients of the OpenAI API expect them"""

from rest_framework.request import Request
from rest_framework.response import Response

from embeddings_app.api.admission import admission
from embeddings_app.api.embed_answers import openai_answer
from embeddings_app.api.middleware import caller_of
from embeddings_app.api.parsing import json_object
from embeddings_app.api.requests.names import checked_model_id
from embeddings_app.api.requests.openai import openai_request
from embeddings_app.api.requests.queries import check_parameters
from embeddings_app.api.responses import openai_model
from embeddings_app.api.routes.base import ApiView
from embeddings_app.api.schema.catalog import GET_MODEL
from embeddings_app.api.schema.openai import EMBEDDINGS
from embeddings_app.models import Scope
from embeddings_app.services.access.rate_limits import limiter
from embeddings_app.services.documents.reading import read_model
from embeddings_app.services.embedding.requests import embed


class Embeddings(ApiView):
    scopes = {"POST": (Scope.EMBED,)}

    @EMBEDDINGS
    def post(self, request: Request) -> Response:
        wanted, encoding = openai_request(json_object(request))
        limiter().count_inputs(caller_of(request), len(wanted))
        with admission().embeds.one():
            result = embed(wanted)
        return Response(openai_answer(result, encoding))


class Model(ApiView):
    @GET_MODEL
    def get(self, request: Request, model_id: str) -> Response:
        check_parameters(request.query_params)
        return Response(openai_model(read_model(checked_model_id(model_id, "model_id"))))
