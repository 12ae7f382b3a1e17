"""POST /embed, GET /info and GET /health, as clients of text-embeddings-inference expect them."""

from typing import Any

from django.http import HttpResponse, HttpResponseRedirect
from django.urls import reverse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from embedding_project.contracts.errors import Unavailable
from embedding_project.contracts.keys import InputType
from embedding_project.contracts.limits import MAX_EMBED_INPUTS
from embedding_project.contracts.model_spec import ModelSpec
from embeddings_app.api.admission import admission
from embeddings_app.api.embed_answers import check_all_embedded
from embeddings_app.api.parsing import json_object
from embeddings_app.api.requests.fields import Fields
from embeddings_app.api.requests.inputs import inputs_of
from embeddings_app.api.routes.base import ApiView
from embeddings_app.api.schema import errors, parts
from embeddings_app.api.schema.operation import Answer, operation
from embeddings_app.models import Scope
from embeddings_app.services.embedding.requests import EmbedRequest, embed, text_model
from embeddings_app.services.operating.readiness import readiness_checks

_NEEDED = ("postgres", "broker", "embedders")
"""What an embed request depends on; without the cache it is slower."""
_REQUEST = parts.request_body(
    {
        "inputs": parts.inputs(MAX_EMBED_INPUTS),
        "normalize": {**parts.BOOLEAN, "default": True},
        "truncate": parts.TRUNCATE,
        "truncation_direction": {
            "type": "string",
            "enum": ["Right", "right", "Left", "left"],
            "default": "Right",
        },
        "prompt_name": parts.INPUT_TYPE,
        "dimensions": parts.DIMENSIONS,
    },
    optional=("normalize", "truncate", "truncation_direction", "prompt_name", "dimensions"),
)
_VECTORS = parts.array(parts.array(parts.NUMBER), "One vector per input, in input order.")
_INFO = parts.record(
    {
        "model_id": parts.STRING,
        "model_sha": {"type": "string", "nullable": True},
        "model_dtype": parts.STRING,
        "model_type": {"type": "object", "additionalProperties": True},
        "max_input_length": parts.described(parts.COUNT, "Tokens of a text."),
        "max_client_batch_size": parts.described(parts.COUNT, "Inputs of a request."),
        "auto_truncate": parts.BOOLEAN,
        "version": parts.described(parts.STRING, "Of the model."),
    }
)
_INFO_EXAMPLE = {
    "model_id": "all-MiniLM-L6-v2",
    "model_sha": None,
    "model_dtype": "fp32",
    "model_type": {"embedding": {"pooling": "mean"}},
    "max_input_length": 256,
    "max_client_batch_size": MAX_EMBED_INPUTS,
    "auto_truncate": True,
    "version": "1",
}


class TeiEmbed(ApiView):
    scopes = {"POST": (Scope.EMBED,)}

    @operation(
        "tei_embed",
        "Turn texts into vectors, for clients of text-embeddings-inference",
        tag="embed",
        description="By the default model. An input that cannot be embedded fails the request.",
        body=_REQUEST,
        body_examples={"one text": {"inputs": "a red fox"}},
        answers=[Answer(_VECTORS, "The vectors.", {"one text": [[0.267, 0.534, 0.801]]})],
        errors=[*errors.EMBED, *errors.IDS],
        path="/embed",
    )
    def post(self, request: Request) -> Response:
        wanted = tei_request(json_object(request))
        with self.admitted(request, inputs=len(wanted), places=admission().embeds):
            result = embed(wanted)
        check_all_embedded(result, "inputs")
        return Response(result.vectors)


def tei_request(body: dict[str, object]) -> EmbedRequest:
    """Raises InvalidRequest."""
    fields = Fields(body, _REQUEST)
    texts, ids = inputs_of(fields, "inputs", MAX_EMBED_INPUTS)
    return EmbedRequest(
        model_id=None,
        texts=texts,
        ids=ids,
        input_type=InputType(fields.choice("prompt_name")),
        normalize=fields.flag("normalize"),
        dimensions=fields.optional_integer("dimensions"),
        truncate=fields.flag("truncate"),
        keep_end=fields.choice("truncation_direction") in ("Left", "left"),
    )


@extend_schema(exclude=True)
class Root(TeiEmbed):
    """POST / is POST /embed, since clients are often told the bare address. A browser is led to the console."""

    def get(self, _request: Request) -> HttpResponse:
        return HttpResponseRedirect(reverse("console_search"))


class TeiInfo(ApiView):
    @operation(
        "tei_info",
        "What the default model is, for clients of text-embeddings-inference",
        tag="models",
        answers=[Answer(_INFO, "The default model.", {"a model": _INFO_EXAMPLE})],
        errors=[*errors.GUARDED, *errors.MODEL, "vector_required"],
        path="/info",
    )
    def get(self, _request: Request) -> Response:
        return Response(_info(text_model(None)))


def _info(model: ModelSpec) -> dict[str, Any]:
    return {
        "model_id": model.model_id,
        "model_sha": None,
        "model_dtype": model.dtype,
        "model_type": {"embedding": {"pooling": model.pooling}},
        "max_input_length": model.max_tokens,
        "max_client_batch_size": MAX_EMBED_INPUTS,
        "auto_truncate": True,
        "version": str(model.version),
    }


class TeiHealth(ApiView):
    @operation(
        "tei_health",
        "Whether texts can be embedded",
        tag="health",
        description="Open. The body is empty.",
        answers=[Answer(OpenApiTypes.STR, "They can.", media_type="text/plain")],
        errors=[*errors.OPEN, "embedder_unavailable"],
        path="/health",
    )
    def get(self, _request: Request) -> HttpResponse:
        checks = readiness_checks()
        if not all(checks[name].ok for name in _NEEDED):
            raise Unavailable("embedder_unavailable")
        return HttpResponse(b"", content_type="text/plain")
