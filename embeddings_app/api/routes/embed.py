"""POST /v1/embed: every input has an outcome of its own in the answer."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from rest_framework.request import Request
from rest_framework.response import Response

from embedding_project.contracts.errors import ERROR_KINDS, InvalidRequest
from embedding_project.contracts.keys import InputType
from embedding_project.contracts.limits import MAX_EMBED_INPUTS
from embedding_project.contracts.text import checked_text
from embedding_project.contracts.vectors import to_bytes
from embeddings_app.api.admission import admission
from embeddings_app.api.embed_answers import Encoding, check_all_embedded, rows
from embeddings_app.api.parsing import json_object
from embeddings_app.api.requests.fields import Fields
from embeddings_app.api.requests.names import model_id_of
from embeddings_app.api.routes.base import ApiView
from embeddings_app.api.schema import errors, parts
from embeddings_app.api.schema.operation import Answer, operation
from embeddings_app.models import Scope
from embeddings_app.services.embedding.embed import EmbedOutcome
from embeddings_app.services.embedding.requests import EmbedRequest, EmbedResult, embed

Json = dict[str, Any]
BINARY_MEDIA_TYPE = "application/octet-stream"
_REQUEST = parts.request_body(
    {
        "inputs": parts.array(parts.TEXT, "The texts, embedded in this order.", minItems=1, maxItems=MAX_EMBED_INPUTS),
        "model_id": parts.MODEL_ID,
        "model_version": parts.ASKED_VERSION,
        "input_type": parts.INPUT_TYPE,
        "normalize": parts.described(
            parts.BOOLEAN, "Whether to return unit vectors. Left out: as the model is registered."
        ),
        "dimensions": parts.DIMENSIONS,
        "encoding_format": parts.described(
            {"type": "string", "enum": list(Encoding), "default": Encoding.FLOAT},
            "Numbers; one base64 string of little-endian float32 per input; or a body of nothing but such numbers.",
        ),
        "truncate": parts.TRUNCATE,
    },
    optional=("model_id", "model_version", "input_type", "normalize", "dimensions", "encoding_format", "truncate"),
)
_ITEM = parts.record(
    {
        "cached": parts.described(parts.BOOLEAN, "Answered from the cache."),
        "truncated": parts.described(
            parts.BOOLEAN, "The text was longer than the model takes; its beginning was embedded."
        ),
        "tokens": parts.COUNT,
        "unknown": parts.described(
            parts.BOOLEAN,
            "Present, and true, when the model knows no token of the text: other such texts have this vector.",
        ),
        "error": parts.described(
            parts.record({"code": parts.ERROR_CODE, "message": parts.STRING}),
            "What kept this text from being embedded; its vector is null.",
        ),
    },
    optional=("unknown", "error"),
)
_ANSWER = parts.record(
    {
        "model_id": parts.STRING,
        "model_version": parts.MODEL_VERSION,
        "dimension": {"type": "integer", "minimum": 1},
        "embeddings": parts.array(
            {"oneOf": [parts.array(parts.NUMBER), parts.STRING], "nullable": True},
            "One float32 vector per input, in input order.",
        ),
        "items": parts.array(_ITEM, "One outcome per input, in input order."),
        "usage": parts.record({"inputs": parts.COUNT, "tokens": parts.COUNT}),
    }
)
_EXAMPLE = {
    "model_id": "all-MiniLM-L6-v2",
    "model_version": 1,
    "dimension": 3,
    "embeddings": [[0.26726124, 0.5345225, 0.8017837]],
    "items": [{"cached": False, "truncated": False, "tokens": 5}],
    "usage": {"inputs": 1, "tokens": 5},
}
_FAILED_EXAMPLE = {
    **_EXAMPLE,
    "embeddings": [[0.26726124, 0.5345225, 0.8017837], None],
    "items": [
        {"cached": False, "truncated": False, "tokens": 5},
        {
            "cached": False,
            "truncated": False,
            "tokens": 0,
            "error": {"code": "empty_input", "message": ERROR_KINDS["empty_input"].meaning},
        },
    ],
    "usage": {"inputs": 2, "tokens": 5},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbedBody:
    request: EmbedRequest
    """Of the texts that can be embedded."""
    encoding: Encoding
    refused: Mapping[int, str]
    """Position of each other text -> code of what is wrong with it."""


class Embed(ApiView):
    scopes = {"POST": (Scope.EMBED,)}

    @operation(
        "embed",
        "Turn texts into vectors",
        tag="embed",
        description="A text that cannot be embedded fails alone. When all fail, the error of the first is the answer.",
        body=_REQUEST,
        body_examples={"two texts": {"inputs": ["a red fox", "ein roter Fuchs"]}},
        answers=[
            Answer(_ANSWER, "The vectors.", {"one text": _EXAMPLE, "a text, and a blank one": _FAILED_EXAMPLE}),
            Answer(OpenApiTypes.BINARY, "With encoding_format binary; see the headers.", media_type=BINARY_MEDIA_TYPE),
        ],
        errors=errors.EMBED,
    )
    def post(self, request: Request) -> HttpResponse:
        wanted = embed_request(json_object(request))
        with self.admitted(request, inputs=len(wanted.request), places=admission().embeds):
            result = with_refused(embed(wanted.request), wanted.refused)
        if wanted.encoding is Encoding.BINARY:
            return binary_answer(result)
        return Response(embed_answer(result, wanted.encoding))


def embed_request(body: dict[str, object]) -> EmbedBody:
    """Raises InvalidRequest, also when there is no text that can be embedded."""
    fields = Fields(body, _REQUEST)
    texts: list[str] = []
    refused: dict[int, InvalidRequest] = {}
    for at, text in enumerate(fields.items("inputs")):
        try:
            texts.append(checked_text(text, f"inputs[{at}]"))
        except InvalidRequest as error:
            if error.code not in errors.TEXT:
                raise
            refused[at] = error
    request = EmbedRequest(
        texts=tuple(texts),
        model_id=model_id_of(fields),
        version=fields.optional_integer("model_version"),
        input_type=InputType(fields.choice("input_type")),
        normalize=fields.optional_flag("normalize"),
        dimensions=fields.optional_integer("dimensions"),
        truncate=fields.flag("truncate"),
    )
    encoding = Encoding(fields.choice("encoding_format"))
    if not texts:
        raise next(iter(refused.values()))
    return EmbedBody(request=request, encoding=encoding, refused={at: error.code for at, error in refused.items()})


def with_refused(result: EmbedResult, refused: Mapping[int, str]) -> EmbedResult:
    """`result`, and among its outcomes one for each text that was not sent to the model."""
    if not refused:
        return result
    embedded = iter(zip(result.outcomes, result.vectors, strict=True))
    missing = np.full(result.dimension, np.nan, dtype=np.float32)
    outcomes, vectors = zip(
        *(
            (EmbedOutcome(vector=None, tokens=0, truncated=False, cached=False, error=refused[at]), missing)
            if at in refused
            else next(embedded)
            for at in range(len(result.outcomes) + len(refused))
        ),
        strict=True,
    )
    return replace(result, outcomes=outcomes, vectors=np.stack(vectors))


def embed_answer(result: EmbedResult, encoding: Encoding) -> Json:
    """Raises ServiceError when not a single text was embedded."""
    _check_some_embedded(result)
    return {
        "model_id": result.model.model_id,
        "model_version": result.model.version,
        "dimension": result.dimension,
        "embeddings": rows(result, encoding),
        "items": [_item(outcome) for outcome in result.outcomes],
        "usage": {"inputs": len(result.outcomes), "tokens": result.tokens},
    }


def binary_answer(result: EmbedResult) -> HttpResponse:
    """Rows of float32; what else there is to say stands in the headers. Raises ServiceError as `embed_answer` does."""
    _check_some_embedded(result)
    outcomes = list(enumerate(result.outcomes))
    headers = {
        "X-Model-Id": result.model.model_id,
        "X-Model-Version": str(result.model.version),
        "X-Dimension": str(result.dimension),
        "X-Count": str(len(outcomes)),
        "X-Tokens": str(result.tokens),
        "X-Failed": ",".join(f"{at}:{outcome.error}" for at, outcome in outcomes if outcome.error),
        "X-Truncated": ",".join(str(at) for at, outcome in outcomes if outcome.truncated),
        "X-Unknown": ",".join(str(at) for at, outcome in outcomes if outcome.unknown),
    }
    return HttpResponse(to_bytes(result.vectors), content_type=BINARY_MEDIA_TYPE, headers=headers)


def _check_some_embedded(result: EmbedResult) -> None:
    if all(outcome.error for outcome in result.outcomes):
        check_all_embedded(result, "inputs")


def _item(outcome: EmbedOutcome) -> Json:
    item: Json = {"cached": outcome.cached, "truncated": outcome.truncated, "tokens": outcome.tokens}
    if outcome.unknown:
        item["unknown"] = True
    if outcome.error is None:
        return item
    return {**item, "error": {"code": outcome.error, "message": ERROR_KINDS[outcome.error].meaning}}
