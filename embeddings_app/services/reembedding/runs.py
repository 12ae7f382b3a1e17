"""Runs as operators see them: started, paused, resumed, cancelled."""

from collections.abc import Mapping, Sequence

from django.db import IntegrityError
from django.db.models.functions import Now

from embedding_project.contracts.errors import InvalidRequest, ServiceError
from embedding_project.contracts.model_spec import ModelType
from embeddings_app.models import OPEN_STATES, ModelRegistry, ModelStatus, ReembedRun, RunState
from embeddings_app.records import model_locks, reembedding
from embeddings_app.records.transactions import in_transaction
from embeddings_app.services import audit
from embeddings_app.services.model_versions.indexes import is_cleared, prepare_indexes
from embeddings_app.services.model_versions.steps import illegal, take_step
from embeddings_app.services.reembedding.estimating import Estimate, check_room, estimate

_WAYS_ON: Mapping[str, str] = {
    RunState.RUNNING: "pause it, or cancel it",
    RunState.PAUSED: "resume it, or cancel it",
    RunState.FINISHED: "its version has all documents; switch to the version, or retire it",
    RunState.CANCELLED: "start another run of its version",
}


def start(version: ModelRegistry, actor: str, *, documents_per_second: float | None = None) -> ReembedRun:
    """Begin to fill the version with the documents of its model. From now on every write reaches it.

    Raises ServiceError when it is not its turn, or when its vectors would not fit on this machine.
    """
    if documents_per_second is not None and not documents_per_second > 0:
        raise InvalidRequest("invalid_value", "must be above 0", field="documents_per_second")
    check_startable(version)
    expected = estimate(version)
    check_room(expected)
    try:
        run = in_transaction(lambda: _start(version.pk, actor, expected, documents_per_second))
    except IntegrityError as error:
        raise ServiceError("illegal_step", f"a run of {version.model_id!r} is open already") from error
    version.refresh_from_db()
    return run


def pause(run: ReembedRun, actor: str) -> None:
    """Stop the run after the batches that are under way. Raises ServiceError unless it runs."""
    _move(run, (RunState.RUNNING,), RunState.PAUSED, actor)


def resume(run: ReembedRun, actor: str) -> None:
    """Go on with a paused run, within a few seconds. Raises ServiceError unless it is paused."""
    _move(run, (RunState.PAUSED,), RunState.RUNNING, actor)


def cancel(run: ReembedRun, actor: str, reason: str = "") -> None:
    """End the run; its version is probed again and loses the vectors that it got. Raises ServiceError when it ended."""
    _move(run, OPEN_STATES, RunState.CANCELLED, actor, reason)


def find_run(key: int) -> ReembedRun:
    """The run. Raises ServiceError (unknown_run)."""
    run = ReembedRun.objects.select_related("model_version").filter(pk=key).first()
    if run is None:
        raise ServiceError("unknown_run", f"there is no run {key}")
    return run


def check_startable(version: ModelRegistry) -> None:
    """Raises ServiceError, which says what is possible instead, while the version cannot be filled."""
    if version.type == ModelType.EXTERNAL:
        raise ServiceError("illegal_step", "its vectors come from the clients, who have to send them to a new model")
    if version.status != ModelStatus.PROBED:
        raise illegal(version, ModelStatus.BACKFILLING.value)
    if not is_cleared(version):
        raise ServiceError("illegal_step", f"what {version} held before is still being removed: try again soon")
    active = ModelRegistry.objects.filter(model_id=version.model_id, status=ModelStatus.ACTIVE)
    if not active.exists():
        raise ServiceError("illegal_step", f"{version.model_id!r} has no active version: switch to this one")


def _start(version_key: int, actor: str, expected: Estimate, documents_per_second: float | None) -> ReembedRun:
    version = ModelRegistry.objects.get(pk=version_key)
    # Once it is held no writer is under way that has read the versions without this one.
    model_locks.lock_exclusive(version.model_id)
    version.refresh_from_db()
    check_startable(version)
    take_step(version, ModelStatus.BACKFILLING, actor)
    prepare_indexes(version)
    return ReembedRun.objects.create(
        model_version=version,
        model_id=version.model_id,
        last_key=reembedding.newest_document_key(),
        documents_total=expected.documents,
        documents_per_second=documents_per_second,
        estimate=expected.as_json(),
        started_by=actor,
    )


def _move(run: ReembedRun, allowed: Sequence[str], state: RunState, actor: str, reason: str = "") -> None:
    def work() -> None:
        model_locks.lock_exclusive(run.model_id)
        moved = ReembedRun.objects.filter(pk=run.pk, state__in=allowed).update(
            state=state,
            progressed_at=Now() if state is not RunState.RUNNING else run.started_at,
            ended_at=Now() if state is RunState.CANCELLED else None,
        )
        run.refresh_from_db()
        if not moved:
            raise ServiceError(
                "illegal_step", f"{run} is {run.state} and cannot be {state.value}: {_WAYS_ON[run.state]}"
            )
        if state is RunState.CANCELLED:
            take_step(run.model_version, ModelStatus.PROBED, actor, reason or f"run {run.pk} was cancelled")
        audit.record(actor, f"reembed.{state.value}", str(run), {"reason": reason} if reason else {})

    in_transaction(work)
