"""Bulk jobs as operators see them: made, paused, resumed, aborted."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db import IntegrityError
from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.db.models.functions import Now

from embedding_project.contracts.errors import InvalidRequest, ServiceError
from embedding_project.contracts.model_spec import ModelSpec
from embeddings_app import registry
from embeddings_app.models import (
    BulkBlock,
    BulkFile,
    BulkJob,
    BulkState,
    BulkWish,
    Layout,
    Namespace,
)
from embeddings_app.records import bulk_jobs, model_locks, namespaces
from embeddings_app.records.topology import live_layouts, read_topology, writable_layouts
from embeddings_app.records.transactions import in_transaction
from embeddings_app.services import audit
from embeddings_app.services.namespaces import check_model


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedFile:
    """A file as the plan found it."""

    path: str
    size: int
    modified_ns: int
    etag: str = ""
    """Of an object of object storage."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewJob:
    """What a job is to load."""

    namespace: str
    model_id: str | None
    files: Sequence[PlannedFile]
    """Empty for a job whose files the role bulk looks for."""
    splitters: Sequence[str]
    options: Mapping[str, Any]
    asked: Mapping[str, Any] = field(default_factory=dict)
    """What decides, with namespace and model, whether it is the same job again."""
    idempotency_key: str | None = None
    """The same key again means the same job."""

    @property
    def request_hash(self) -> bytes:
        asked = {**self.asked, "namespace": self.namespace, "model_id": self.model_id}
        return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).digest()


def target_spec(namespace: str, model_id: str | None) -> ModelSpec:
    """The version whose vectors a job into the namespace writes. Raises ServiceError, also while the model has another
    live version."""
    space = Namespace.objects.filter(name=namespace).first()
    if space is not None:
        check_model(space, model_id)
    spec = registry.active_spec(model_id or (space.model_id if space else None))
    _refuse_second_version(spec)
    _refuse_second_layout(live_layouts())
    return spec


def _refuse_second_version(spec: ModelSpec) -> None:
    if [live.version_key for live in registry.live_specs(spec.model_id)] != [spec.version_key]:
        raise ServiceError(
            "illegal_step", f"model {spec.model_id!r} has another live version: retire it, or wait for its run"
        )


def _refuse_second_layout(layouts: Sequence[Layout]) -> None:
    if len(layouts) > 1:
        raise ServiceError(
            "illegal_step", "the documents move to another number of shards: wait for the end, and drop the old layout"
        )


def make_job(new: NewJob, actor: str) -> BulkJob:
    """The job, made now or with the same key before. Raises ServiceError."""
    made = made_before(new)
    if made is not None:
        return made
    spec = target_spec(new.namespace, new.model_id)
    try:
        return in_transaction(lambda: _make(new, spec, actor))
    except IntegrityError as error:
        if made := made_before(new):
            return made
        raise _namespace_taken(new.namespace) from error


def made_before(new: NewJob) -> BulkJob | None:
    """The job that was made with the key. Raises idempotency_key_reused for another one."""
    if new.idempotency_key is None:
        return None
    found = BulkJob.objects.select_related("namespace").filter(idempotency_key=new.idempotency_key).first()
    if found and not _is_asked(found, new):
        raise InvalidRequest(
            "idempotency_key_reused", "the key was given to another import before", field="idempotency_key"
        )
    return found


def _is_asked(made: BulkJob, new: NewJob) -> bool:
    if made.request_hash is None:
        # Of before there was a hash. Who asks may not know of jobs into other namespaces.
        return made.namespace_name == new.namespace
    return bytes(made.request_hash) == new.request_hash


def _namespace_taken(namespace: str) -> ServiceError:
    """By another job that is open; it may have ended since the refusal."""
    other = bulk_jobs.open_into(namespace) or bulk_jobs.queued_for(namespace)
    way_on = bulk_jobs.way_on(other) if other else "it ended just now, so try again"
    return ServiceError("illegal_step", f"one job at a time loads into namespace {namespace!r}; {way_on}")


def _make(new: NewJob, spec: ModelSpec, actor: str) -> BulkJob:
    model_locks.lock_shared(spec.model_id)
    _refuse_second_version(spec)
    _refuse_second_layout(writable_layouts())
    # A job whose files nobody has seen yet may end without one, and then leaves no namespace behind.
    space = _claimed(new.namespace, spec.model_id) if new.files else _known(new.namespace, spec.model_id)
    if space is None and bulk_jobs.queued_for(new.namespace):
        raise _namespace_taken(new.namespace)
    job = BulkJob.objects.create(
        namespace=space,
        new_namespace=new.namespace if space is None else "",
        model_version_id=spec.version_key,
        epoch=read_topology().epoch,
        state=BulkState.PLANNED if new.files else BulkState.QUEUED,
        by_role=not new.files,
        options=dict(new.options),
        splitters=list(new.splitters),
        idempotency_key=new.idempotency_key,
        request_hash=new.request_hash if new.idempotency_key else None,
        actor=actor,
    )
    _write_files(job, new.files)
    action = "bulk.planned" if new.files else "bulk.queued"
    audit.record(actor, action, str(job), {"namespace": new.namespace, "files": len(new.files)})
    return job


def _claimed(name: str, model_id: str) -> Namespace:
    space = namespaces.claim_namespace(name, model_id)
    check_model(space, model_id)
    return space


def _known(name: str, model_id: str) -> Namespace | None:
    space = Namespace.objects.filter(name=name).first()
    if space is not None:
        check_model(space, model_id)
    return space


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundFiles:
    """What the plan of a queued job found."""

    files: Sequence[PlannedFile]
    splitters: Sequence[str]
    options: Mapping[str, Any]
    plan: Mapping[str, Any]
    """Rows, bytes and seconds."""


def plan_queued(job: BulkJob, found: FoundFiles, *, ends: bool) -> None:
    """Let a queued job go on with its files, or end where it was to look only. Raises ServiceError."""

    def write() -> None:
        BulkJob.objects.filter(pk=job.pk).update(plan=dict(found.plan))
        if ends:
            move(job, BulkState.DONE)
            return
        if job.namespace is None:
            model_id = job.model_version.model_id
            model_locks.lock_shared(model_id)
            BulkJob.objects.filter(pk=job.pk).update(namespace=_claimed(job.new_namespace, model_id), new_namespace="")
        BulkJob.objects.filter(pk=job.pk).update(options=dict(found.options), splitters=list(found.splitters))
        _write_files(job, found.files)
        move(job, BulkState.PLANNED)

    try:
        in_transaction(write)
    except IntegrityError as error:
        raise _namespace_taken(job.namespace_name) from error


def _write_files(job: BulkJob, files: Sequence[PlannedFile]) -> None:
    BulkFile.objects.bulk_create(
        [
            BulkFile(
                job=job,
                number=number,
                path=file.path,
                size=file.size,
                modified_ns=file.modified_ns,
                etag=file.etag,
            )
            for number, file in enumerate(files)
        ]
    )


def find_job(key: int) -> BulkJob:
    """Raises ServiceError (unknown_run)."""
    job = BulkJob.objects.select_related("namespace", "model_version").filter(pk=key).first()
    if job is None:
        raise ServiceError("unknown_run", f"there is no bulk job {key}")
    return job


_WORKED_ON = (
    BulkState.QUEUED,
    BulkState.PLANNED,
    BulkState.LOADING,
    BulkState.BUILDING,
    BulkState.PREPARING,
    BulkState.REGISTERING,
)
_CAN: Mapping[BulkWish, Sequence[str]] = {
    BulkWish.PAUSE: _WORKED_ON,
    BulkWish.RUN: (*_WORKED_ON, BulkState.FAILED),
    BulkWish.ABORT: (
        BulkState.QUEUED,
        BulkState.PLANNED,
        BulkState.LOADING,
        BulkState.BUILDING,
        BulkState.PREPARING,
        BulkState.FAILED,
        BulkState.ABORTING,
    ),
}


_VISIBLE = BulkBlock.objects.filter(opened_to__gte=F("first_key"))


def can(job: BulkJob, wish: BulkWish) -> bool:
    """Whether the job allows to ask for this."""
    return _allowing(wish).filter(pk=job.pk).exists()


def _allowing(wish: BulkWish) -> QuerySet[BulkJob]:
    """Jobs that allow to ask for this. Who asked for an abort was told that what is loaded goes, so nothing is asked
    of the job after it; but an abort that came when documents were visible already ends nothing."""
    found = BulkJob.objects.filter(state__in=_CAN[wish])
    if wish == BulkWish.ABORT:
        return found
    return found.exclude(Q(wanted=BulkWish.ABORT) & ~Exists(_VISIBLE.filter(pk=OuterRef("pk"))))


def want(job: BulkJob, wish: BulkWish, actor: str, *, by_role: bool = False) -> None:
    """Ask for a pause, for work to go on, or for the end of the job; whoever works on it looks between its tasks. With
    `by_role` the role bulk goes on with it, unless a command works on it.

    Raises ServiceError when the state of the job does not allow it: once documents become visible there is no abort.
    """

    def ask() -> None:
        if not _allowing(wish).filter(pk=job.pk).update(wanted=wish, by_role=by_role):
            job.refresh_from_db()
            ending = " and is to be aborted" if job.state in _CAN[wish] else ""
            raise ServiceError("illegal_step", f"{job}{ending}, so it cannot be asked to {wish.value}")
        if wish == BulkWish.ABORT:
            refuse_visible(job)
        audit.record(actor, f"bulk.{wish.value}", str(job))
        job.refresh_from_db()
        if wish == BulkWish.RUN and job.state == BulkState.FAILED:
            after_failure(job)

    in_transaction(ask)


def refuse_visible(job: BulkJob) -> None:
    """Raises ServiceError once documents of the job are visible: index nodes would keep them."""
    if _VISIBLE.filter(pk=job.pk).exists():
        raise ServiceError("illegal_step", f"documents of {job} are visible: it cannot be aborted any more, resume it")


def after_failure(job: BulkJob) -> None:
    """Let a job that failed go on, in the caller's transaction. Raises ServiceError."""
    _refuse_second_layout(writable_layouts())
    move(job, state_before_failure(job))


def state_before_failure(job: BulkJob) -> BulkState:
    """Where a failed job goes on. What makes it certain is written by the step that ends a stage."""
    if not BulkFile.objects.filter(job=job).exists():
        return BulkState.QUEUED
    block = BulkBlock.objects.filter(pk=job.pk).first()
    if block is None:
        return BulkState.PLANNED
    return BulkState.REGISTERING if block.opened_to >= block.first_key else BulkState.LOADING


def move(job: BulkJob, state: BulkState, *, error: str = "") -> None:
    """Take the job to its next state, if it is still as it was read. Raises ServiceError."""
    ended = Now() if state in (BulkState.DONE, BulkState.ABORTED) else None
    moved = BulkJob.objects.filter(pk=job.pk, state=job.state).update(
        state=state, error=error, ended_at=ended, under_way=0, under_way_rate=0.0
    )
    if not moved:
        raise ServiceError("illegal_step", f"{job} was moved by somebody else")
    job.refresh_from_db()
