"""The states of a model version and the steps between them.

    draft -> probed -> backfilling -> shadow -> active -> standby -> retiring -> retired

A trigger of the database holds the same table, so that no path leads around it. Each step is an audit event.
"""

from collections.abc import Mapping, Sequence

from embedding_project.contracts.errors import ServiceError
from embeddings_app.models import ModelRegistry, ModelStatus
from embeddings_app.records import bulk_jobs
from embeddings_app.services import audit

STEPS: Mapping[ModelStatus, tuple[ModelStatus, ...]] = {
    ModelStatus.DRAFT: (ModelStatus.PROBED, ModelStatus.RETIRED),
    ModelStatus.PROBED: (ModelStatus.DRAFT, ModelStatus.BACKFILLING, ModelStatus.ACTIVE, ModelStatus.RETIRED),
    ModelStatus.BACKFILLING: (ModelStatus.SHADOW, ModelStatus.PROBED),
    ModelStatus.SHADOW: (ModelStatus.ACTIVE, ModelStatus.RETIRING),
    ModelStatus.ACTIVE: (ModelStatus.STANDBY,),
    ModelStatus.STANDBY: (ModelStatus.ACTIVE, ModelStatus.RETIRING),
    ModelStatus.RETIRING: (ModelStatus.RETIRED,),
    ModelStatus.RETIRED: (),
}
_WAYS_ON: Mapping[ModelStatus, str] = {
    ModelStatus.DRAFT: "probe it; the probe must pass",
    ModelStatus.PROBED: "start a re-embedding of it, or switch to it while the model has no documents",
    ModelStatus.BACKFILLING: "wait until its run has finished, or cancel the run",
    ModelStatus.SHADOW: "switch to it, or retire it",
    ModelStatus.ACTIVE: "switch to another version first",
    ModelStatus.STANDBY: "switch back to it, or retire it",
    ModelStatus.RETIRING: "wait until it is retired",
    ModelStatus.RETIRED: "register a new version",
}


_HELD_UP_BY_BULK_JOBS = (
    ModelStatus.BACKFILLING,
    ModelStatus.SHADOW,
    ModelStatus.ACTIVE,
    ModelStatus.STANDBY,
    ModelStatus.RETIRING,
)
"""Into these a version does not go while a bulk job writes vectors of its model for the version that is active."""


def way_on(status: str) -> str:
    """What an operator can do with a version in this state."""
    return _WAYS_ON[ModelStatus(status)]


def illegal(version: ModelRegistry, what: str) -> ServiceError:
    """The refusal of a step, which says what is possible instead."""
    return ServiceError("illegal_step", f"{version} is {version.status} and cannot be {what}: {way_on(version.status)}")


def take_step(
    version: ModelRegistry, status: ModelStatus, actor: str, reason: str = "", *, overridden: Sequence[str] = ()
) -> None:
    """Move the version on, in the caller's transaction, and write down what spoke against it.

    Raises ServiceError when the step is illegal, or when the version has moved meanwhile.
    """
    before = ModelStatus(version.status)
    if status not in STEPS[before]:
        raise illegal(version, status.value)
    if status in _HELD_UP_BY_BULK_JOBS and (job := bulk_jobs.open_for_model(version.model_id)):
        raise ServiceError("illegal_step", f"documents of {version.model_id!r} are loaded: {bulk_jobs.way_on(job)}")
    if not ModelRegistry.objects.filter(pk=version.pk, status=before).update(status=status):
        version.refresh_from_db()
        raise illegal(version, status.value)
    version.status = status
    more = {"reason": reason, "overridden": list(overridden)}
    detail = {"from": before.value, "to": status.value} | {name: value for name, value in more.items() if value}
    audit.record(actor, f"model.{status.value}", str(version), detail)
