"""The switch: which version of a model answers. One transaction; every process sees it within a second.

The version that answered stays, and every write still reaches it, so that switching back is the same step.
"""

from dataclasses import dataclass

from embedding_project.contracts.errors import ServiceError
from embeddings_app import registry
from embeddings_app.models import ModelRegistry, ModelStatus
from embeddings_app.records import model_locks, version_records
from embeddings_app.records.transactions import in_transaction
from embeddings_app.services.model_versions.indexes import is_cleared, prepare_indexes
from embeddings_app.services.model_versions.steps import illegal, take_step


@dataclass(frozen=True, slots=True)
class Switched:
    """The versions before and after; `before` is None when the model had no active version."""

    before: ModelRegistry | None
    after: ModelRegistry


def switch(version: ModelRegistry, actor: str, *, reason: str = "") -> Switched:
    """Make the version the one that answers. Raises ServiceError while documents would be missing from its answers."""
    switched = in_transaction(lambda: _switch(version.pk, actor, reason))
    version.refresh_from_db()
    registry.forget_cached()
    return switched


def _switch(version_key: int, actor: str, reason: str) -> Switched:
    version = ModelRegistry.objects.get(pk=version_key)
    model_locks.lock_exclusive(version.model_id)
    # Read once more: an operator may have moved it while this one waited for the lock.
    version.refresh_from_db()
    before = ModelRegistry.objects.filter(model_id=version.model_id, status=ModelStatus.ACTIVE).first()
    if before and before.pk == version.pk:
        return Switched(before, version)
    used = version_records.has_documents(version.model_id)
    if version.status == ModelStatus.PROBED and not used and is_cleared(version):
        prepare_indexes(version)
    elif version.status not in (ModelStatus.SHADOW, ModelStatus.STANDBY):
        raise illegal(version, "made active")
    elif before and (behind := version_records.count_lost(before.pk, version.pk)):
        raise ServiceError(
            "illegal_step", f"{version} has no vector yet of {behind} documents that {before} finds: try again soon"
        )
    if before:
        take_step(before, ModelStatus.STANDBY, actor, reason)
        if not used:
            take_step(before, ModelStatus.RETIRING, actor, "the model has no documents, so nothing is kept")
    take_step(version, ModelStatus.ACTIVE, actor, reason)
    return Switched(before, version)
