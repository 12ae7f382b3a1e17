"""Documents are spread over another number of shards while searches and writes go on.

A second layout is built beside the one that answers: every write reaches the logs of both, and nodes fill the new
shards from Postgres. A switch makes it the one that answers. The old one stays on standby, still written, until it is
dropped; a switch back is the same step.
"""

import time
from collections.abc import Callable
from datetime import timedelta

from django.utils import timezone

from embedding_project.contracts.errors import ServiceError
from embedding_project.wording import plural
from embeddings_app.models import LIVE_STATUSES, BulkJob, BulkState, Layout, LayoutStatus, ModelRegistry
from embeddings_app.models.bulk import OPEN_BULK_STATES
from embeddings_app.records import bulk_jobs
from embeddings_app.records.layout_progress import LogProgress, log_progress
from embeddings_app.records.topology import create_counters, live_layouts, lock_layouts
from embeddings_app.records.transactions import in_transaction
from embeddings_app.services import audit

MOST_SHARDS = 1_024
KEPT_HOURS = 24.0
"""How long the layout before stays, unless an operator says otherwise."""
_HEAD_SECONDS = 2.0
"""How long writers wait for a switch, at most."""
_LOOK_SECONDS = 0.02


def active_layout() -> Layout:
    return Layout.objects.get(status=LayoutStatus.ACTIVE)


def other_layout() -> Layout | None:
    """The one that is built, or on standby; there is one at most."""
    return next((layout for layout in live_layouts() if layout.status != LayoutStatus.ACTIVE), None)


def start(shards: int, actor: str) -> Layout:
    """Begin a layout of so many shards. Raises illegal_step, invalid_value."""
    if not 1 <= shards <= MOST_SHARDS:
        raise ServiceError("invalid_value", f"shards must be 1 to {MOST_SHARDS}", field="shards")
    return _changed(lambda: _start(shards, actor))


def _start(shards: int, actor: str) -> Layout:
    active, other = active_layout(), other_layout()
    if other is not None:
        raise ServiceError("illegal_step", f"{other} is {other.status}: go on with it, or drop it first")
    if active.shards == shards:
        raise ServiceError("illegal_step", f"the documents are spread over {shards} shards already")
    # One that failed does nothing, and goes on when there is one layout again.
    if job := BulkJob.objects.filter(state__in=OPEN_BULK_STATES).exclude(state=BulkState.FAILED).first():
        raise ServiceError("illegal_step", bulk_jobs.way_on(job))
    layout = Layout.objects.create(shards=shards, replicas=active.replicas, status=LayoutStatus.BUILDING)
    for version in ModelRegistry.objects.filter(status__in=LIVE_STATUSES):
        create_counters(layout, version.pk)
    audit.record(actor, "layout.started", str(layout.pk), {"shards": shards, "shards_before": active.shards})
    return layout


def pause(actor: str, *, paused: bool) -> Layout:
    """Let nodes stop their unfinished loads of the layout that is built, or begin them again. What is loaded follows
    its log all the time. Raises illegal_step."""

    def change() -> Layout:
        layout = _the_other(LayoutStatus.BUILDING)
        layout.paused = paused
        layout.save(update_fields=["paused"])
        audit.record(actor, "layout.paused" if paused else "layout.resumed", str(layout.pk))
        return layout

    return _changed(change)


def switch(actor: str, kept_hours: float = KEPT_HOURS, clock: Callable[[], float] = time.monotonic) -> Layout:
    """Let the other layout answer, be it a new one or the one before. Raises illegal_step while nodes are not ready.

    Writers wait meanwhile: whatever was acknowledged as searchable is so in the layout that answers next.
    """

    def change() -> Layout:
        layout, before = _the_other(LayoutStatus.BUILDING, LayoutStatus.STANDBY), active_layout()
        until = clock() + _HEAD_SECONDS
        while unready := [log for log in log_progress(layout.pk) if not log.is_ready]:
            if clock() >= until or any(not log.ready for log in unready):
                raise ServiceError("illegal_step", f"{layout} cannot answer yet: {_why(unready)}")
            time.sleep(_LOOK_SECONDS)
        before.status, before.kept_until = LayoutStatus.STANDBY, timezone.now() + timedelta(hours=kept_hours)
        before.save(update_fields=["status", "kept_until"])
        layout.status, layout.kept_until, layout.paused = LayoutStatus.ACTIVE, None, False
        layout.save(update_fields=["status", "kept_until", "paused"])
        detail = {"shards": layout.shards, "before": before.pk, "kept_hours": kept_hours}
        audit.record(actor, "layout.switched", str(layout.pk), detail)
        return layout

    return _changed(change)


def drop(actor: str) -> Layout:
    """Give up the layout that does not answer: nodes free it at once, its logs go in the background. Raises
    illegal_step."""

    def change() -> Layout:
        layout = _the_other(LayoutStatus.BUILDING, LayoutStatus.STANDBY)
        layout.status, layout.kept_until = LayoutStatus.RETIRED, None
        layout.save(update_fields=["status", "kept_until"])
        audit.record(actor, "layout.dropped", str(layout.pk), {"shards": layout.shards})
        return layout

    return _changed(change)


def _changed(change: Callable[[], Layout]) -> Layout:
    """What `change` gives, in a transaction that holds off all writers. Raises Unavailable when these hold it off."""

    def locked() -> Layout:
        lock_layouts()
        return change()

    return in_transaction(locked)


def _the_other(*states: LayoutStatus) -> Layout:
    layout = other_layout()
    if layout is None or layout.status not in states:
        raise ServiceError("illegal_step", f"there is no layout that is {' or '.join(states)}")
    return layout


def _why(unready: list[LogProgress]) -> str:
    first = unready[0]
    where = f"shard {first.shard} of {first.version}"
    more = f", and {len(unready) - 1} more" if len(unready) > 1 else ""
    if first.problem:
        return f"{where}: {first.problem}{more}"
    if not first.replicas:
        return f"no node answers for {where}{more}"
    if not first.ready:
        return f"{where} has {plural(first.documents, 'document')}, {first.in_graphs:,} of them in graphs{more}"
    return f"{where} is at {first.applied} of {first.head}{more}"
