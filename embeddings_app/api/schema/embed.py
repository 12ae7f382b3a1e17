"""POST /v1/embed"""

from drf_spectacular.utils import OpenApiExample, OpenApiRequest, OpenApiResponse, extend_schema

from embedding_project.contracts.limits import MAX_EMBED_INPUTS
from embeddings_app.api.schema.errors import BODY, GUARDED, MODEL, REQUEST_ID, RETRY_AFTER, error_answers
from embeddings_app.api.schema.errors import TEXT as TEXT_ERRORS
from embeddings_app.api.schema.parts import (
    BOOLEAN,
    COUNT,
    MODEL_ID,
    MODEL_VERSION,
    NUMBER,
    STRING,
    TEXT,
    array,
    described,
    record,
)

_REQUEST = record(
    {
        "inputs": array(TEXT, "The texts, embedded in this order.", minItems=1, maxItems=MAX_EMBED_INPUTS),
        "model_id": MODEL_ID,
        "input_type": described(
            {"type": "string", "enum": ["query", "document"], "default": "document"},
            "Whether the texts are looked for or looked through; some models put a different prompt before each.",
        ),
        "normalize": described(BOOLEAN, "Whether to return unit vectors. Left out: as the model is registered."),
    },
    optional=("model_id", "input_type", "normalize"),
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
            {"type": "array", "items": NUMBER, "nullable": True}, "One float32 vector per input, in input order."
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
        **error_answers(
            *GUARDED,
            *BODY,
            *TEXT_ERRORS,
            *MODEL,
            "vector_required",
            "model_error",
            "embedder_unavailable",
            "model_unavailable",
            "broker_unavailable",
            "database_unavailable",
        ),
    },
)
