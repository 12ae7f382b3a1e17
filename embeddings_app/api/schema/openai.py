"""POST /v1/embeddings"""

from drf_spectacular.utils import OpenApiExample, OpenApiRequest, OpenApiResponse, extend_schema

from embedding_project.contracts.limits import MAX_MODEL_ID_LENGTH, MAX_OPENAI_INPUTS
from embeddings_app.api.schema import errors
from embeddings_app.api.schema.parts import (
    COUNT,
    DIMENSIONS,
    INPUT_TYPE,
    NUMBER,
    STRING,
    TRUNCATE,
    array,
    described,
    inputs,
    record,
)

_PATH = "/v1/embeddings"
_REQUEST = record(
    {
        "input": inputs(MAX_OPENAI_INPUTS),
        "model": described(
            {"type": "string", "pattern": r"^[A-Za-z0-9][A-Za-z0-9._/-]*(@[1-9][0-9]*)?$",
             "maxLength": MAX_MODEL_ID_LENGTH},
            "A model of the registry; behind an @ the version that must be the active one.",
        ),
        "encoding_format": described({"type": "string", "enum": ["float", "base64"], "nullable": True},
                                     "Numbers, or a base64 string of little-endian float32. Left out: numbers."),
        "dimensions": {**DIMENSIONS, "nullable": True},
        "user": described({"type": "string", "nullable": True}, "Taken and not used."),
        "input_type": INPUT_TYPE,
        "truncate": TRUNCATE,
    },
    optional=("encoding_format", "dimensions", "user", "input_type", "truncate"),
)  # fmt: skip
_EMBEDDING = record(
    {
        "object": {"type": "string", "enum": ["embedding"]},
        "index": COUNT,
        "embedding": {"oneOf": [array(NUMBER), STRING]},
    }
)

EMBEDDINGS = extend_schema(
    operation_id="create_embeddings",
    summary="Turn texts into vectors, for clients of the OpenAI API",
    description="Vectors are of unit length. An input that cannot be embedded fails the request.",
    tags=["embed"],
    parameters=[errors.RETRY_AFTER, errors.REQUEST_ID],
    request={
        "application/json": OpenApiRequest(
            _REQUEST,
            examples=[OpenApiExample("one text", value={"input": "a red fox", "model": "all-MiniLM-L6-v2"})],
        )
    },
    responses={
        200: OpenApiResponse(
            record(
                {
                    "object": {"type": "string", "enum": ["list"]},
                    "data": array(_EMBEDDING, "In input order."),
                    "model": STRING,
                    "usage": record({"prompt_tokens": COUNT, "total_tokens": COUNT}),
                }
            ),
            description="The vectors.",
            examples=[
                OpenApiExample(
                    "one text",
                    value={
                        "object": "list",
                        "data": [{"object": "embedding", "index": 0, "embedding": [0.267, 0.534, 0.801]}],
                        "model": "all-MiniLM-L6-v2",
                        "usage": {"prompt_tokens": 5, "total_tokens": 5},
                    },
                )
            ],
        ),
        **errors.error_answers(
            *errors.GUARDED,
            *errors.BODY,
            *errors.TEXT,
            *errors.MODEL,
            *errors.EMBEDDING,
            "too_many_tokens",
            "ids_not_accepted",
            "invalid_ids",
            "no_tokenizer",
            path=_PATH,
        ),
    },
)
