"""Namespaces as every request needs them: at most a second old, their unused fields at most ten."""

from embedding_project.contracts.errors import ServiceError
from embedding_project.threads.expiring import ExpiringCache
from embeddings_app import registry
from embeddings_app.models import Namespace
from embeddings_app.records import namespaces

FRESH_SECONDS = 1.0
UNUSED_FRESH_SECONDS = 10.0
"""Longer, since a look at all documents of a namespace may cost a second."""


def _read_namespace(name: str) -> Namespace:
    namespace = Namespace.objects.filter(name=name).first()
    if namespace is None:
        raise ServiceError("unknown_namespace", f"nothing was ever written to namespace {name!r}", field="namespace")
    return namespace


_namespaces = ExpiringCache(_read_namespace, FRESH_SECONDS)
_unused_fields = ExpiringCache[int, frozenset[str] | None](namespaces.unused_fields, UNUSED_FRESH_SECONDS)


def namespace(name: str) -> Namespace:
    """The namespace as it was within the last second. Raises unknown_namespace."""
    return _namespaces.get(name)


def check_model(space: Namespace, model_id: str | None) -> None:
    """Refuse a `model_id` other than the one the namespace was first written with."""
    if model_id is not None and space.model_id not in (model_id, registry.own_name(model_id)):
        raise ServiceError(
            "model_mismatch", f"namespace {space.name!r} belongs to model {space.model_id!r}", field="model_id"
        )


def unused_fields(namespace_key: int) -> frozenset[str] | None:
    """The metadata fields that no document has any more; None when the namespace is too large to look through."""
    return _unused_fields.get(namespace_key)


def forget_cached() -> None:
    """Make the next read see the database; for tests and for a restore."""
    _namespaces.clear()
    _unused_fields.clear()
