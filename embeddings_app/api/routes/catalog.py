"""GET /v1/namespaces/{name}, GET /v1/models and GET /v1/models/{model_id}"""

from collections.abc import Sequence
from typing import Any

from drf_spectacular.utils import OpenApiParameter
from rest_framework.request import Request
from rest_framework.response import Response

from embeddings_app.api.middleware import caller_of
from embeddings_app.api.requests.names import checked_model_id, checked_namespace
from embeddings_app.api.routes.base import ApiView
from embeddings_app.api.schema import errors
from embeddings_app.api.schema.operation import Answer, operation
from embeddings_app.api.schema.parts import BOOLEAN, COUNT, MODEL_VERSION, NAMESPACE, STRING, array, described, record
from embeddings_app.models import Scope
from embeddings_app.services.documents.namespace_status import NamespaceStatus, namespace_status
from embeddings_app.services.model_versions.reading import ModelView, list_models, read_model

Json = dict[str, Any]
_NAMESPACE = record(
    {
        "name": STRING,
        "model_id": STRING,
        "count": described(COUNT, "Documents."),
        "pending": described(COUNT, "Documents that wait for the vector of their text."),
        "searchable": described(COUNT, "Documents that every answering replica has applied."),
        "quarantined": described(COUNT, "Documents whose text could not be embedded."),
        "count_is_exact": described(BOOLEAN, "If not, there is more than these numbers say: they stop at 100,000."),
        "fields": array(STRING, "Metadata fields that count for the limit of 64."),
        "unused_fields": described(
            array(STRING), "Those of them that no document has. null when that takes too long to say.", nullable=True
        ),
    }
)
_NAMESPACE_EXAMPLE = {
    "name": "default",
    "model_id": "all-MiniLM-L6-v2",
    "count": 1200,
    "pending": 3,
    "searchable": 1197,
    "quarantined": 0,
    "count_is_exact": True,
    "fields": ["author.name", "lang"],
    "unused_fields": [],
}
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
_MODEL_EXAMPLE = {
    "model_id": "all-MiniLM-L6-v2",
    "model_version": 1,
    "type": "transformers",
    "dimension": 384,
    "status": "active",
    "max_tokens": 256,
}
_OPENAI_MODEL = record(
    {
        "id": STRING,
        "object": {"type": "string", "enum": ["model"]},
        "created": described(COUNT, "Seconds since 1970."),
        "owned_by": STRING,
    }
)
_OPENAI_EXAMPLE = {"id": "all-MiniLM-L6-v2", "object": "model", "created": 1769860800, "owned_by": "local"}
_MODELS = record(
    {
        "object": {"type": "string", "enum": ["list"]},
        "data": array(_OPENAI_MODEL, "Models that can be asked for vectors."),
        "models": array(_MODEL, "Every version that is not retired."),
    }
)
_MODELS_EXAMPLE = {"object": "list", "data": [_OPENAI_EXAMPLE], "models": [_MODEL_EXAMPLE]}


class NamespaceOverview(ApiView):
    scopes = {"GET": (Scope.SEARCH, Scope.WRITE)}

    @operation(
        "get_namespace",
        "Count the documents of a namespace",
        tag="documents",
        parameters=[
            OpenApiParameter(
                "name",
                {"type": "string", "pattern": NAMESPACE["pattern"]},
                OpenApiParameter.PATH,
                description="Namespace.",
            )
        ],
        answers=[
            Answer(
                schema=_NAMESPACE,
                description="How far its documents have come.",
                examples={"namespace": _NAMESPACE_EXAMPLE},
            )
        ],
        errors=[
            *errors.GUARDED,
            *errors.NAMESPACED,
            "unknown_field",
            "unknown_namespace",
            "unknown_model",
            "model_not_active",
        ],
    )
    def get(self, request: Request, name: str) -> Response:
        namespace = checked_namespace(name, "name")
        caller_of(request).require_namespace(namespace)
        return Response(_namespace(namespace_status(namespace)))


def _namespace(status: NamespaceStatus) -> Json:
    return {
        "name": status.name,
        "model_id": status.model_id,
        "count": status.count,
        "pending": status.pending,
        "searchable": status.searchable,
        "quarantined": status.quarantined,
        "count_is_exact": status.count_is_exact,
        "fields": status.fields,
        "unused_fields": status.unused_fields,
    }


class Models(ApiView):
    @operation(
        "list_models",
        "List the model versions",
        tag="models",
        answers=[Answer(schema=_MODELS, description="Both lists.", examples={"one model": _MODELS_EXAMPLE})],
        errors=[*errors.GUARDED, "unknown_field"],
    )
    def get(self, _request: Request) -> Response:
        return Response(_models(list_models()))


def _models(models: Sequence[ModelView]) -> Json:
    """Every version, and beside them the list that clients of the OpenAI API read."""
    return {
        "object": "list",
        "data": [_openai_model(model) for model in models if model.embeds_text],
        "models": [
            {
                "model_id": model.model_id,
                "model_version": model.version,
                "type": model.type,
                "dimension": model.dimension,
                "status": model.status,
                "max_tokens": model.max_tokens,
            }
            for model in models
        ],
    }


def _openai_model(model: ModelView) -> Json:
    return {
        "id": model.model_id,
        "object": "model",
        "created": int(model.created_at.timestamp()),
        "owned_by": "local",
    }


class Model(ApiView):
    @operation(
        "get_model",
        "Look a model up, for clients of the OpenAI API",
        tag="models",
        parameters=[
            OpenApiParameter(
                "model_id",
                {"type": "string", "minLength": 1},
                OpenApiParameter.PATH,
                description="The rest of the path; slashes may stand plain.",
            )
        ],
        answers=[
            Answer(
                schema=_OPENAI_MODEL,
                description="A model with an active version.",
                examples={"a model": _OPENAI_EXAMPLE},
            )
        ],
        errors=[*errors.GUARDED, *errors.MODEL, "unknown_field"],
    )
    def get(self, _request: Request, model_id: str) -> Response:
        return Response(_openai_model(read_model(checked_model_id(model_id, "model_id"))))
