"""Model versions: which one answers, which ones a write must reach."""

from collections.abc import Sequence
from dataclasses import fields

from embedding_project.config import load_config
from embedding_project.contracts.errors import ServiceError
from embedding_project.contracts.model_spec import ModelSpec
from embedding_project.threads.expiring import ExpiringCache
from embeddings_app.models import LIVE_STATUSES, ModelRegistry, ModelStatus

FRESH_SECONDS = 1.0
"""Readers may see a switch this much later; writers always read within their transaction."""


def spec_of(row: ModelRegistry) -> ModelSpec:
    """The version as every role knows it; its fields have the names of the columns."""
    names = {field.name for field in fields(ModelSpec)} - {"version_key"}
    return ModelSpec.from_wire({"version_key": row.pk, **{name: getattr(row, name) for name in names}})


def _read_active(model_id: str) -> ModelSpec:
    rows = list(ModelRegistry.objects.filter(model_id=model_id))
    if not rows:
        raise ServiceError("unknown_model", f"no model {model_id!r} is registered", field="model_id")
    for row in rows:
        if row.status == ModelStatus.ACTIVE:
            if row.modality != "text":
                raise ServiceError("unsupported_modality", field="model_id")
            return spec_of(row)
    raise ServiceError("model_not_active", f"model {model_id!r} has no active version", field="model_id")


_active_specs = ExpiringCache(_read_active, FRESH_SECONDS)


def active_spec(model_id: str | None) -> ModelSpec:
    """The active version of `model_id`, or of the default model. Raises unknown_model or model_not_active."""
    return _active_specs.get(model_id or load_config().default_model_id)


def live_specs(model_id: str) -> list[ModelSpec]:
    """Every version that writes and deletes must reach. Call it in a statement after `model_locks.lock_shared`."""
    return [spec_of(row) for row in ModelRegistry.objects.filter(model_id=model_id, status__in=LIVE_STATUSES)]


def specs_by_key(version_keys: Sequence[int]) -> dict[int, ModelSpec]:
    return {row.pk: spec_of(row) for row in ModelRegistry.objects.filter(pk__in=version_keys)}


def forget_cached() -> None:
    """Make the next read see the database; for tests and for the process that made a change."""
    _active_specs.clear()
