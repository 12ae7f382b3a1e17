"""GET /v1/models and GET /v1/models/{model_id}"""

from collections.abc import Sequence
from typing import Any

from drf_spectacular.utils import OpenApiParameter
from rest_framework.request import Request
from rest_framework.response import Response

from embedding_project.contracts.model_spec import ModelSpec
from embeddings_app.api.requests.names import checked_model_id
from embeddings_app.api.routes.base import ApiView
from embeddings_app.api.schema import errors, parts
from embeddings_app.api.schema.operation import Answer, operation
from embeddings_app.api.version_answers import STORAGE, TYPE
from embeddings_app.models import ModelStatus
from embeddings_app.services.model_versions.reading import ModelView, list_models, read_model

Json = dict[str, Any]
_MODEL = parts.record(
    {
        "model_id": parts.STRING,
        "model_version": parts.MODEL_VERSION,
        "type": TYPE,
        "dimension": {"type": "integer", "minimum": 1},
        "status": {"type": "string", "enum": [status.value for status in ModelStatus if status != ModelStatus.RETIRED]},
        "max_tokens": {"type": "integer", "minimum": 1},
        "storage": STORAGE,
    }
)
_MODEL_EXAMPLE = {
    "model_id": "all-MiniLM-L6-v2",
    "model_version": 1,
    "type": "transformers",
    "dimension": 384,
    "status": "active",
    "max_tokens": 256,
    "storage": "fp32",
}
_OPENAI_MODEL = parts.record(
    {
        "id": parts.STRING,
        "object": {"type": "string", "enum": ["model"]},
        "created": parts.described(parts.COUNT, "Seconds since 1970."),
        "owned_by": parts.STRING,
    }
)
_OPENAI_EXAMPLE = {"id": "all-MiniLM-L6-v2", "object": "model", "created": 1769860800, "owned_by": "local"}
_MODELS = parts.record(
    {
        "object": {"type": "string", "enum": ["list"]},
        "data": parts.array(_OPENAI_MODEL, "Models that can be asked for vectors."),
        "models": parts.array(_MODEL, "Every version that is not retired."),
    }
)
_MODEL_ID = parts.described({"type": "string", "minLength": 1}, "The rest of the path; slashes need no escape.")
_MODELS_EXAMPLE = {"object": "list", "data": [_OPENAI_EXAMPLE], "models": [_MODEL_EXAMPLE]}


class Models(ApiView):
    @operation(
        "list_models",
        "List the model versions",
        tag="models",
        answers=[Answer(_MODELS, "Both lists.", {"one model": _MODELS_EXAMPLE})],
        errors=errors.GUARDED,
    )
    def get(self, _request: Request) -> Response:
        return Response(_models(list_models()))


def _models(models: Sequence[ModelView]) -> Json:
    """Every version, and beside them the list that clients of the OpenAI API read."""
    return {
        "object": "list",
        "data": [_openai_model(model) for model in models if model.embeds_text],
        "models": [_model(model.spec, model.status) for model in models],
    }


def _model(spec: ModelSpec, status: str) -> Json:
    return {
        "model_id": spec.model_id,
        "model_version": spec.version,
        "type": spec.type,
        "dimension": spec.dimension,
        "status": status,
        "max_tokens": spec.max_tokens,
        "storage": spec.storage,
    }


def _openai_model(model: ModelView) -> Json:
    created = int(model.created_at.timestamp())
    return {"id": model.spec.model_id, "object": "model", "created": created, "owned_by": "local"}


class Model(ApiView):
    @operation(
        "get_model",
        "Look a model up, for clients of the OpenAI API",
        tag="models",
        parameters=[OpenApiParameter("model_id", _MODEL_ID, OpenApiParameter.PATH)],
        answers=[Answer(_OPENAI_MODEL, "A model with an active version.", {"a model": _OPENAI_EXAMPLE})],
        errors=[*errors.GUARDED, *errors.MODEL],
    )
    def get(self, _request: Request, model_id: str) -> Response:
        return Response(_openai_model(read_model(checked_model_id(model_id, "model_id"))))
