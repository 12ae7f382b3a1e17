"""GET /v1/namespaces/{name} and GET /v1/models"""

from drf_spectacular.utils import OpenApiExample, OpenApiParameter, OpenApiResponse, extend_schema

from embeddings_app.api.schema import errors
from embeddings_app.api.schema.parts import COUNT, MODEL_VERSION, NAMESPACE, STRING, array, described, record

_NAMESPACE = record(
    {
        "name": STRING,
        "model_id": STRING,
        "count": described(COUNT, "Documents."),
        "pending": described(COUNT, "Documents that wait for the vector of their text."),
        "searchable": described(COUNT, "Documents that every answering replica has applied."),
        "quarantined": described(COUNT, "Documents whose text could not be embedded."),
    }
)
_MODEL = record(
    {
        "model_id": STRING,
        "model_version": MODEL_VERSION,
        "type": {"type": "string", "enum": ["transformers", "openai", "external"]},
        "dimension": {"type": "integer", "minimum": 1},
        "status": {"type": "string", "enum": ["draft", "backfilling", "shadow", "active", "standby"]},
        "max_tokens": {"type": "integer", "minimum": 1},
    }
)
_OPENAI_MODEL = record(
    {
        "id": STRING,
        "object": {"type": "string", "enum": ["model"]},
        "created": described(COUNT, "Seconds since 1970."),
        "owned_by": STRING,
    }
)
_OPENAI_EXAMPLE = {"id": "all-MiniLM-L6-v2", "object": "model", "created": 1769860800, "owned_by": "local"}

GET_NAMESPACE = extend_schema(
    operation_id="get_namespace",
    summary="Count the documents of a namespace",
    tags=["documents"],
    parameters=[
        OpenApiParameter(
            "name", {"type": "string", "pattern": NAMESPACE["pattern"]}, OpenApiParameter.PATH, description="Namespace."
        ),
        errors.RETRY_AFTER,
        errors.REQUEST_ID,
    ],
    responses={
        200: OpenApiResponse(
            _NAMESPACE,
            description="How far its documents have come.",
            examples=[
                OpenApiExample(
                    "namespace",
                    value={
                        "name": "default",
                        "model_id": "all-MiniLM-L6-v2",
                        "count": 1200,
                        "pending": 3,
                        "searchable": 1197,
                        "quarantined": 0,
                    },
                )
            ],
        ),
        **errors.error_answers(
            *errors.GUARDED,
            *errors.NAMESPACED,
            "unknown_field",
            "unknown_namespace",
            "unknown_model",
            "model_not_active",
            "database_unavailable",
        ),
    },
)
LIST_MODELS = extend_schema(
    operation_id="list_models",
    summary="List the model versions",
    tags=["models"],
    parameters=[errors.RETRY_AFTER, errors.REQUEST_ID],
    responses={
        200: OpenApiResponse(
            record(
                {
                    "object": {"type": "string", "enum": ["list"]},
                    "data": array(_OPENAI_MODEL, "Models that can be asked for vectors."),
                    "models": array(_MODEL, "Every version that is not retired."),
                }
            ),
            description="Both lists.",
            examples=[
                OpenApiExample(
                    "one model",
                    value={
                        "object": "list",
                        "data": [_OPENAI_EXAMPLE],
                        "models": [
                            {
                                "model_id": "all-MiniLM-L6-v2",
                                "model_version": 1,
                                "type": "transformers",
                                "dimension": 384,
                                "status": "active",
                                "max_tokens": 256,
                            }
                        ],
                    },
                )
            ],
        ),
        **errors.error_answers(*errors.GUARDED, "unknown_field", "database_unavailable"),
    },
)
GET_MODEL = extend_schema(
    operation_id="get_model",
    summary="Look a model up, for clients of the OpenAI API",
    tags=["models"],
    parameters=[
        OpenApiParameter(
            "model_id",
            {"type": "string", "minLength": 1},
            OpenApiParameter.PATH,
            description="The rest of the path; slashes may stand plain.",
        ),
        errors.RETRY_AFTER,
        errors.REQUEST_ID,
    ],
    responses={
        200: OpenApiResponse(
            _OPENAI_MODEL,
            description="A model with an active version.",
            examples=[OpenApiExample("a model", value=_OPENAI_EXAMPLE)],
        ),
        **errors.error_answers(*errors.GUARDED, *errors.MODEL, "unknown_field", "database_unavailable"),
    },
)
