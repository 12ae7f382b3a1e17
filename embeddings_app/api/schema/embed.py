"""POST /v1/embed"""

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, OpenApiRequest, OpenApiResponse, extend_schema

from embedding_project.contracts.limits import MAX_EMBED_INPUTS
from embeddings_app.api.embed_answers import BINARY_MEDIA_TYPE
from embeddings_app.api.schema.errors import BODY, EMBEDDING, GUARDED, MODEL, REQUEST_ID, RETRY_AFTER, error_answers
from embeddings_app.api.schema.errors import TEXT as TEXT_ERRORS
from embeddings_app.api.schema.parts import (
    BOOLEAN,
    COUNT,
    DIMENSIONS,
    INPUT_TYPE,
    MODEL_ID,
    MODEL_VERSION,
    NUMBER,
    STRING,
    TEXT,
    TRUNCATE,
    array,
    described,
    record,
)

_REQUEST = record(
    {
        "inputs": array(TEXT, "The texts, embedded in this order.", minItems=1, maxItems=MAX_EMBED_INPUTS),
        "model_id": MODEL_ID,
        "input_type": INPUT_TYPE,
        "normalize": described(BOOLEAN, "Whether to return unit vectors. Left out: as the model is registered."),
        "dimensions": DIMENSIONS,
        "encoding_format": described(
            {"type": "string", "enum": ["float", "base64", "binary"], "default": "float"},
            "Numbers; one base64 string of little-endian float32 per input; or a body of nothing but such numbers.",
        ),
        "truncate": TRUNCATE,
    },
    optional=("model_id", "input_type", "normalize", "dimensions", "encoding_format", "truncate"),
)
_ITEM = record(
    {
        "cached": described(BOOLEAN, "Answered from the cache."),
        "truncated": described(BOOLEAN, "The text was longer than the model takes; its beginning was embedded."),
        "tokens": COUNT,
        "error": described(STRING, "Code of what kept this text from being embedded; its vector is null."),
    },
    optional=("error",),
)
_ANSWER = record(
    {
        "model_id": STRING,
        "model_version": MODEL_VERSION,
        "dimension": {"type": "integer", "minimum": 1},
        "embeddings": array(
            {"oneOf": [array(NUMBER), STRING], "nullable": True}, "One float32 vector per input, in input order."
        ),
        "items": array(_ITEM, "One outcome per input, in input order."),
        "usage": record({"inputs": COUNT, "tokens": COUNT}),
    }
)

EMBED = extend_schema(
    operation_id="embed",
    summary="Turn texts into vectors",
    description="One text that fails does not fail the others; when all fail the answer is 503 `model_error`.",
    tags=["embed"],
    parameters=[RETRY_AFTER, REQUEST_ID],
    request={
        "application/json": OpenApiRequest(
            _REQUEST, examples=[OpenApiExample("two texts", value={"inputs": ["a red fox", "ein roter Fuchs"]})]
        )
    },
    responses={
        200: OpenApiResponse(
            _ANSWER,
            description="The vectors.",
            examples=[
                OpenApiExample(
                    "one text",
                    value={
                        "model_id": "all-MiniLM-L6-v2",
                        "model_version": 1,
                        "dimension": 3,
                        "embeddings": [[0.26726124, 0.5345225, 0.8017837]],
                        "items": [{"cached": False, "truncated": False, "tokens": 5}],
                        "usage": {"inputs": 1, "tokens": 5},
                    },
                )
            ],
        ),
        (200, BINARY_MEDIA_TYPE): OpenApiResponse(
            OpenApiTypes.BINARY, description="With encoding_format binary; see the headers."
        ),
        **error_answers(
            *GUARDED,
            *BODY,
            *TEXT_ERRORS,
            *MODEL,
            *EMBEDDING,
            "too_many_tokens",
        ),
    },
)
