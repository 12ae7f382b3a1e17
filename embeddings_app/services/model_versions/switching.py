"""The switch: which version of a model answers. One transaction; every process sees it within a second.

The version that answered stays, and every write still reaches it, so that switching back is the same step.
"""

from dataclasses import dataclass

from embedding_project.contracts.errors import InvalidRequest, ServiceError
from embedding_project.wording import plural
from embeddings_app import registry
from embeddings_app.models import ModelRegistry, ModelStatus
from embeddings_app.records import model_locks, version_records
from embeddings_app.records.transactions import in_transaction
from embeddings_app.services.model_versions.indexes import is_cleared, prepare_indexes
from embeddings_app.services.model_versions.steps import illegal, take_step
from embeddings_app.services.quality.gate import gate_verdict


@dataclass(frozen=True, slots=True)
class Switched:
    """The versions before and after; `before` is None when the model had no active version."""

    before: ModelRegistry | None
    after: ModelRegistry


def switch(version: ModelRegistry, actor: str, *, reason: str = "", override: bool = False) -> Switched:
    """Make the version the one that answers. Raises ServiceError while documents would be missing from its answers, and
    while a version in shadow does not pass the gate; `override` asks for it all the same, and needs a reason."""
    if override and not reason:
        raise InvalidRequest("missing_field", "to override the gate, say why", field="reason")
    switched = in_transaction(lambda: _switch(version.pk, actor, reason, override=override))
    version.refresh_from_db()
    registry.forget_cached()
    return switched


def _switch(version_key: int, actor: str, reason: str, *, override: bool) -> Switched:
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
            "illegal_step",
            f"{version} has no vector yet of {plural(behind, 'document')} that {before} finds: try again soon",
        )
    against = _against(before, version) if used else ()
    if against and not override:
        raise ServiceError("gate_closed", f"{version} does not pass the gate: {'; '.join(against)}")
    if before:
        take_step(before, ModelStatus.STANDBY, actor, reason)
        if not used:
            take_step(before, ModelStatus.RETIRING, actor, "the model has no documents, so nothing is kept")
    take_step(version, ModelStatus.ACTIVE, actor, reason, overridden=against)
    return Switched(before, version)


def _against(before: ModelRegistry | None, version: ModelRegistry) -> tuple[str, ...]:
    """What the gate says against the version. A version in standby has answered before: going back is never held up."""
    if before is None or version.status != ModelStatus.SHADOW:
        return ()
    return gate_verdict(before, version).reasons
