"""Aliases of models: made, listed and removed."""

from django.core.exceptions import ValidationError
from django.db import transaction

from embedding_project.contracts.errors import InvalidRequest, ServiceError
from embeddings_app import registry
from embeddings_app.models import ModelAlias, ModelRegistry
from embeddings_app.services import audit


def set_alias(name: str, model_id: str, actor: str) -> None:
    """Let `name` mean the model, whatever it meant before. Raises ServiceError, InvalidRequest."""
    check_alias(name, model_id)
    with transaction.atomic():
        ModelAlias.objects.update_or_create(name=name, defaults={"model_id": model_id})
        audit.record(actor, "model.alias_set", name, {"model": model_id})
    registry.forget_cached()


def remove_alias(name: str, actor: str) -> bool:
    """False when there is no such alias."""
    with transaction.atomic():
        removed, _ = ModelAlias.objects.filter(name=name).delete()
        if removed:
            audit.record(actor, "model.alias_removed", name)
    registry.forget_cached()
    return bool(removed)


def list_aliases() -> list[tuple[str, str]]:
    """(Name, model) in the order of the names."""
    return list(ModelAlias.objects.values_list("name", "model_id"))


def check_alias(name: str, model_id: str) -> None:
    """Raises ServiceError when there is no such model, InvalidRequest when `name` is a model's own name."""
    try:
        ModelAlias.name.field.run_validators(name)
    except ValidationError:
        message = "a name has letters, digits, '.', '_', '-' and '/', and begins with one of the first two"
        raise InvalidRequest("invalid_value", message, field="name") from None
    if not ModelRegistry.objects.filter(model_id=model_id).exists():
        raise ServiceError("unknown_model", f"no model {model_id!r} is registered", field="model_id")
    if ModelRegistry.objects.filter(model_id=name).exists():
        raise InvalidRequest("invalid_value", f"{name!r} is the name of a model", field="name")
