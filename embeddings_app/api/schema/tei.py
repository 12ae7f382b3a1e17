"""POST /embed, GET /info and GET /health"""

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, OpenApiRequest, OpenApiResponse, extend_schema

from embedding_project.contracts.limits import MAX_EMBED_INPUTS
from embeddings_app.api.schema import errors
from embeddings_app.api.schema.parts import (
    BOOLEAN,
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

_REQUEST = record(
    {
        "inputs": inputs(MAX_EMBED_INPUTS),
        "normalize": {**BOOLEAN, "nullable": True, "default": True},
        "truncate": {**TRUNCATE, "nullable": True},
        "truncation_direction": {"type": "string", "enum": ["Right", "right"], "default": "Right"},
        "prompt_name": INPUT_TYPE,
        "dimensions": {**DIMENSIONS, "nullable": True},
    },
    optional=("normalize", "truncate", "truncation_direction", "prompt_name", "dimensions"),
)
_INFO = record(
    {
        "model_id": STRING,
        "model_sha": {"type": "string", "nullable": True},
        "model_dtype": STRING,
        "model_type": {"type": "object", "additionalProperties": True},
        "max_input_length": described(COUNT, "Tokens of a text."),
        "max_client_batch_size": described(COUNT, "Inputs of a request."),
        "auto_truncate": BOOLEAN,
        "version": described(STRING, "Of the model."),
    }
)

TEI_EMBED = extend_schema(
    operation_id="tei_embed",
    summary="Turn texts into vectors, for clients of text-embeddings-inference",
    description="By the default model. An input that cannot be embedded fails the request.",
    tags=["embed"],
    parameters=[errors.RETRY_AFTER, errors.REQUEST_ID],
    request={
        "application/json": OpenApiRequest(
            _REQUEST, examples=[OpenApiExample("one text", value={"inputs": "a red fox"})]
        )
    },
    responses={
        200: OpenApiResponse(
            array(array(NUMBER), "One vector per input, in input order."),
            description="The vectors.",
            examples=[OpenApiExample("one text", value=[[0.267, 0.534, 0.801]], response_only=True)],
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
            path="/embed",
        ),
    },
)
TEI_INFO = extend_schema(
    operation_id="tei_info",
    summary="What the default model is, for clients of text-embeddings-inference",
    tags=["models"],
    parameters=[errors.RETRY_AFTER, errors.REQUEST_ID],
    responses={
        200: OpenApiResponse(
            _INFO,
            description="The default model.",
            examples=[
                OpenApiExample(
                    "a model",
                    value={
                        "model_id": "all-MiniLM-L6-v2",
                        "model_sha": None,
                        "model_dtype": "fp32",
                        "model_type": {"embedding": {"pooling": "mean"}},
                        "max_input_length": 256,
                        "max_client_batch_size": MAX_EMBED_INPUTS,
                        "auto_truncate": True,
                        "version": "1",
                    },
                )
            ],
        ),
        **errors.error_answers(
            *errors.GUARDED, *errors.MODEL, "unknown_field", "vector_required", "database_unavailable", path="/info"
        ),
    },
)
TEI_HEALTH = extend_schema(
    operation_id="tei_health",
    summary="Whether texts can be embedded",
    description="Open. The body is empty.",
    tags=["health"],
    parameters=[errors.REQUEST_ID],
    responses={
        (200, "text/plain"): OpenApiResponse(OpenApiTypes.STR, description="They can."),
        **errors.error_answers(*errors.OPEN, "embedder_unavailable", path="/health"),
    },
)
