"""POST /v1/embeddings, as clients of the OpenAI API expect it: an input that cannot be embedded fails the request."""

import re
from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from embedding_project.contracts.errors import InvalidRequest
from embedding_project.contracts.keys import InputType
from embedding_project.contracts.limits import MAX_MODEL_ID_LENGTH, MAX_OPENAI_INPUTS
from embeddings_app.api.admission import admission
from embeddings_app.api.embed_answers import Encoding, check_all_embedded, rows
from embeddings_app.api.parsing import json_object
from embeddings_app.api.requests.fields import Fields, checked_string
from embeddings_app.api.requests.inputs import inputs_of
from embeddings_app.api.requests.names import checked_model_id
from embeddings_app.api.routes.base import ApiView
from embeddings_app.api.schema import errors, parts
from embeddings_app.api.schema.operation import Answer, operation
from embeddings_app.models import Scope
from embeddings_app.services.embedding.requests import EmbedRequest, EmbedResult, embed

_VERSION = re.compile(r"[1-9][0-9]{0,8}")
_REQUEST = parts.request_body(
    {
        "input": parts.inputs(MAX_OPENAI_INPUTS),
        "model": parts.described(
            {
                "type": "string",
                "pattern": r"^[A-Za-z0-9][A-Za-z0-9._/-]*(@[1-9][0-9]*)?$",
                "maxLength": MAX_MODEL_ID_LENGTH,
            },
            "A model of the registry; behind an @ a version that is shadow, active or standby.",
        ),
        "encoding_format": parts.described(
            {"type": "string", "enum": [Encoding.FLOAT, Encoding.BASE64], "default": Encoding.FLOAT},
            "Numbers, or a base64 string of little-endian float32.",
        ),
        "dimensions": parts.DIMENSIONS,
        "user": parts.described(parts.STRING, "Taken and not used."),
        "input_type": parts.INPUT_TYPE,
        "truncate": parts.TRUNCATE,
    },
    optional=("encoding_format", "dimensions", "user", "input_type", "truncate"),
)
_EMBEDDING = parts.record(
    {
        "object": {"type": "string", "enum": ["embedding"]},
        "index": parts.COUNT,
        "embedding": {"oneOf": [parts.array(parts.NUMBER), parts.STRING]},
    }
)
_ANSWER = parts.record(
    {
        "object": {"type": "string", "enum": ["list"]},
        "data": parts.array(_EMBEDDING, "In input order."),
        "model": parts.STRING,
        "usage": parts.record({"prompt_tokens": parts.COUNT, "total_tokens": parts.COUNT}),
    }
)
_EXAMPLE = {
    "object": "list",
    "data": [{"object": "embedding", "index": 0, "embedding": [0.267, 0.534, 0.801]}],
    "model": "all-MiniLM-L6-v2",
    "usage": {"prompt_tokens": 5, "total_tokens": 5},
}


class Embeddings(ApiView):
    scopes = {"POST": (Scope.EMBED,)}

    @operation(
        "create_embeddings",
        "Turn texts into vectors, for clients of the OpenAI API",
        tag="embed",
        description="Vectors are of unit length. An input that cannot be embedded fails the request.",
        body=_REQUEST,
        body_examples={"one text": {"input": "a red fox", "model": "all-MiniLM-L6-v2"}},
        answers=[Answer(_ANSWER, "The vectors.", {"one text": _EXAMPLE})],
        errors=[*errors.EMBED, *errors.IDS],
        path="/v1/embeddings",
    )
    def post(self, request: Request) -> Response:
        wanted, encoding = openai_request(json_object(request))
        with self.admitted(request, inputs=len(wanted), places=admission().embeds):
            result = embed(wanted)
        return Response(openai_answer(result, encoding))


def openai_request(body: dict[str, object]) -> tuple[EmbedRequest, Encoding]:
    """Raises InvalidRequest."""
    fields = Fields(body, _REQUEST)
    texts, ids = inputs_of(fields, "input", MAX_OPENAI_INPUTS)
    model_id, version = _model(fields.required("model"))
    if "user" in fields:
        checked_string(fields.optional("user"), "user")
    encoding = Encoding(fields.choice("encoding_format"))
    request = EmbedRequest(
        model_id=model_id,
        version=version,
        texts=texts,
        ids=ids,
        input_type=InputType(fields.choice("input_type")),
        normalize=True,
        dimensions=fields.optional_integer("dimensions"),
        truncate=fields.flag("truncate"),
    )
    return request, encoding


def _model(value: object) -> tuple[str, int | None]:
    """`model_id`, or `model_id@version`."""
    name, at, version = checked_string(value, "model").partition("@")
    if at and not _VERSION.fullmatch(version):
        raise InvalidRequest("invalid_value", "the part after the @ must be the number of a version", field="model")
    return checked_model_id(name, "model"), int(version) if at else None


def openai_answer(result: EmbedResult, encoding: Encoding) -> dict[str, Any]:
    """Raises ServiceError when an input could not be embedded."""
    check_all_embedded(result, "input")
    return {
        "object": "list",
        "data": [
            {"object": "embedding", "index": index, "embedding": row}
            for index, row in enumerate(rows(result, encoding))
        ],
        "model": result.model.model_id,
        "usage": {"prompt_tokens": result.tokens, "total_tokens": result.tokens},
    }
