"""Reads of the models, for answers."""

from dataclasses import dataclass
from datetime import datetime

from embedding_project.contracts.errors import ServiceError
from embedding_project.contracts.model_spec import ModelSpec, ModelType
from embeddings_app import registry
from embeddings_app.models import ModelRegistry, ModelStatus
from embeddings_app.records.topology import replica_problems

_WITHOUT_VECTORS = (ModelType.EXTERNAL, ModelType.CROSS_ENCODER)


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelView:
    spec: ModelSpec
    status: str
    created_at: datetime

    @property
    def embeds_text(self) -> bool:
        """Whether clients may name it where vectors are asked for."""
        return self.status == ModelStatus.ACTIVE and self.spec.type not in _WITHOUT_VECTORS


def list_models() -> list[ModelView]:
    """Every version that is not retired."""
    return [_model_view(row) for row in ModelRegistry.objects.exclude(status=ModelStatus.RETIRED)]


def read_model(model_id: str) -> ModelView:
    """The active version of a model. Raises unknown_model or model_not_active."""
    spec = registry.active_spec(model_id)
    return _model_view(ModelRegistry.objects.get(pk=spec.version_key))


def _model_view(row: ModelRegistry) -> ModelView:
    return ModelView(spec=registry.spec_of(row), status=row.status, created_at=row.created_at)


def list_versions(model_id: str) -> list[ModelRegistry]:
    """Every version of the model, retired ones too, the newest first. Raises ServiceError (unknown_model)."""
    found = list(ModelRegistry.objects.filter(model_id=model_id).order_by("-version"))
    if not found:
        raise ServiceError("unknown_model", f"no model {model_id!r} is registered", field="model_id")
    return found


def find_version(model_id: str, version: int) -> ModelRegistry:
    """The version. Raises ServiceError (unknown_model)."""
    found = ModelRegistry.objects.filter(model_id=model_id, version=version).first()
    if found is None:
        raise ServiceError("unknown_model", f"no version {version} of {model_id!r} is registered", field="version")
    return found


def version_problems(version: ModelRegistry) -> list[str]:
    """What keeps index nodes from loading the version, in words."""
    return [f"{one.place}: {one.problem}" for one in replica_problems() if one.version_key == version.pk]
