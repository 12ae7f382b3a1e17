"""Model versions: which one answers, which ones can be asked, which ones a write must reach."""

from dataclasses import fields

from embedding_project.config import load_config
from embedding_project.contracts.errors import InvalidRequest, ServiceError
from embedding_project.contracts.limits import DEFAULT_EF_SEARCH
from embedding_project.contracts.model_spec import ModelSpec, ModelType
from embedding_project.threads.expiring import ExpiringCache
from embeddings_app.models import LIVE_STATUSES, SEARCHABLE_STATUSES, ModelAlias, ModelRegistry, ModelStatus

FRESH_SECONDS = 1.0
"""Readers may see a switch this much later; writers always read within their transaction."""


def spec_of(row: ModelRegistry) -> ModelSpec:
    """The version as every role knows it; its fields have the names of the columns."""
    names = {field.name for field in fields(ModelSpec)} - {"version_key"}
    return ModelSpec.from_wire({"version_key": row.pk, **{name: getattr(row, name) for name in names}})


def _read_own_name(name: str) -> str:
    alias = ModelAlias.objects.filter(name=name).first()
    if alias is None or ModelRegistry.objects.filter(model_id=name).exists():
        return name
    return alias.model_id


def _read_active(name: str) -> ModelSpec:
    model_id = own_name(name)
    rows = list(ModelRegistry.objects.filter(model_id=model_id))
    if not rows:
        raise ServiceError("unknown_model", f"no model {model_id!r} is registered", field="model_id")
    for row in rows:
        if row.status == ModelStatus.ACTIVE:
            if row.modality != "text":
                raise ServiceError("unsupported_modality", field="model_id")
            return spec_of(row)
    raise ServiceError("model_not_active", f"model {model_id!r} has no active version", field="model_id")


def _read_searchable(key: tuple[str, int]) -> ModelSpec:
    name, version = key
    model_id = own_name(name)
    row = ModelRegistry.objects.filter(model_id=model_id, version=version).first()
    if row is None:
        raise ServiceError("unknown_model", f"model {model_id!r} has no version {version}", field="model_version")
    if row.status not in SEARCHABLE_STATUSES:
        *some, last = SEARCHABLE_STATUSES
        raise ServiceError(
            "model_not_active",
            f"version {version} of model {model_id!r} is {row.status}; "
            f"a request can ask for a version that is {', '.join(some)} or {last}",
            field="model_version",
        )
    if row.modality != "text":
        raise ServiceError("unsupported_modality", field="model_version")
    return spec_of(row)


def _read_auto_ef(version_key: int) -> int:
    found = ModelRegistry.objects.filter(pk=version_key).values_list("auto_ef", flat=True).first()
    return found or DEFAULT_EF_SEARCH


_own_names = ExpiringCache(_read_own_name, FRESH_SECONDS)
_auto_efs = ExpiringCache(_read_auto_ef, FRESH_SECONDS)
_active_specs = ExpiringCache(_read_active, FRESH_SECONDS)
_searchable_specs = ExpiringCache(_read_searchable, FRESH_SECONDS)


def own_name(name: str) -> str:
    """The name that the registry has for the model: that of an alias, else the name itself."""
    return _own_names.get(name)


def active_spec(model_id: str | None) -> ModelSpec:
    """The active version of `model_id`, or of the default model, which gives vectors. Raises unknown_model,
    model_not_active or wrong_model_type."""
    return _with_vectors(_active_specs.get(model_id or load_config().default_model_id))


def asked_spec(model_id: str | None, version: int | None) -> ModelSpec:
    """The version that answers a request: the active one, or the one asked for when its index is whole.

    Raises unknown_model, model_not_active or wrong_model_type.
    """
    if version is None:
        return active_spec(model_id)
    return _with_vectors(_searchable_specs.get((model_id or load_config().default_model_id, version)))


def _with_vectors(spec: ModelSpec) -> ModelSpec:
    if spec.type is ModelType.CROSS_ENCODER:
        message = f"model {spec.model_id!r} is a cross-encoder: it ranks texts, and gives no vectors"
        raise InvalidRequest("wrong_model_type", message, field="model_id")
    return spec


def reranker(model_id: str | None, field: str = "model") -> ModelSpec:
    """The active version of a cross-encoder; without a name, of the only one there is. Raises unknown_model,
    model_not_active, wrong_model_type, and missing_field when there are several."""
    try:
        name = model_id or _only_rerankers.get("")
        spec = _active_specs.get(name)
    except ServiceError as error:
        raise type(error)(error.code, error.message, field=field) from error
    if spec.type is not ModelType.CROSS_ENCODER:
        raise InvalidRequest(
            "wrong_model_type", f"model {name!r} gives vectors; a cross-encoder ranks texts", field=field
        )
    return spec


def _read_only_reranker(_: str) -> str:
    found = ModelRegistry.objects.filter(type=ModelType.CROSS_ENCODER, status=ModelStatus.ACTIVE).order_by("model_id")
    names = list(found.values_list("model_id", flat=True)[:_NAMED_RERANKERS])
    if not names:
        raise ServiceError("unknown_model", "no cross-encoder is active", field="model")
    if len(names) > 1:
        raise InvalidRequest("missing_field", f"several models can rank: {', '.join(names)}", field="model")
    return names[0]


_NAMED_RERANKERS = 5
_only_rerankers = ExpiringCache(_read_only_reranker, FRESH_SECONDS)


def auto_ef(version_key: int) -> int:
    """The breadth of searches that calibration found for the version; the usual one while it found none."""
    return _auto_efs.get(version_key)


def live_specs(model_id: str) -> list[ModelSpec]:
    """Every version that writes and deletes must reach. Call it in a statement after `model_locks.lock_shared`."""
    return [spec_of(row) for row in ModelRegistry.objects.filter(model_id=model_id, status__in=LIVE_STATUSES)]


def is_live(version_key: int) -> bool:
    """Whether writes reach the version. Call it in a statement after `model_locks.lock_shared`."""
    return ModelRegistry.objects.filter(pk=version_key, status__in=LIVE_STATUSES).exists()


def known_spec(version_key: int) -> ModelSpec | None:
    """The version, whatever its status; None when a restore has taken it away since its key was read."""
    row = ModelRegistry.objects.filter(pk=version_key).first()
    return spec_of(row) if row else None


def forget_cached() -> None:
    """Make the next read see the database; for tests and for the process that made a change."""
    _own_names.clear()
    _auto_efs.clear()
    _active_specs.clear()
    _searchable_specs.clear()
    _only_rerankers.clear()
