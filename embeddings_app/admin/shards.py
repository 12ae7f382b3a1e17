"""Layouts, shards, and how far each replica has followed its log."""

from datetime import datetime

from django.contrib import admin
from django.db.models import F, OuterRef, QuerySet, Subquery
from django.http import HttpRequest
from django.utils import timezone
from unfold.contrib.filters.admin import ChoicesRadioFilter, RelatedDropdownFilter
from unfold.decorators import display

from embedding_project.wording import plural
from embeddings_app.admin.read_only import ReadOnlyAdmin
from embeddings_app.models import Layout, LayoutStatus, ReplicaState, ShardCounter, ShardReplica
from embeddings_app.records.topology import HEARTBEAT_SECONDS
from embeddings_app.services.operating.service_state import count_replicas

_SILENT = "silent"
_STATE_COLOURS = {
    str(ReplicaState.READY): "success",
    str(ReplicaState.LOADING): "info",
    str(ReplicaState.BEHIND): "warning",
    str(ReplicaState.NO_ROOM): "danger",
    _SILENT: "danger",
}
_REPLICA_LIST = (
    "name",
    "layout",
    "model_version",
    "state_label",
    "lag",
    "heartbeat_age",
    "documents",
    "segment_counts",
    "loading",
    "snapshot",
)


def _seconds_since(moment: datetime) -> float:
    return max(0.0, (timezone.now() - moment).total_seconds())


def _state(replica: ShardReplica) -> str:
    """What it said last, unless it has not said anything for a while."""
    return _SILENT if _seconds_since(replica.heartbeat) > HEARTBEAT_SECONDS else str(replica.state)


@admin.register(Layout)
class LayoutAdmin(ReadOnlyAdmin):
    list_display = ("__str__", "shards", "replicas", "status_label", "created_at")
    ordering = ("-id",)

    @display(description="status", label={LayoutStatus.ACTIVE: "success", LayoutStatus.BUILDING: "warning"})
    def status_label(self, layout: Layout) -> str:
        return layout.status


@admin.register(ShardCounter)
class ShardAdmin(ReadOnlyAdmin):
    """One log per layout, version and shard, with the replicas that follow it."""

    list_display = ("name", "layout", "model_version", "head", "ready_replicas")
    list_filter = (("layout", RelatedDropdownFilter), ("model_version", RelatedDropdownFilter))
    list_select_related = ("layout", "model_version")
    ordering = ("layout_id", "model_version_id", "shard")
    sortable_by = ()
    fields = ("layout", "model_version", "shard", "head", "ready_replicas")

    @display(description="shard")
    def name(self, counter: ShardCounter) -> str:
        return f"shard {counter.shard}"

    @display(description="replicas ready")
    def ready_replicas(self, counter: ShardCounter) -> str:
        replicas = ShardReplica.objects.filter(
            layout=counter.layout_id, model_version=counter.model_version_id, shard=counter.shard
        )
        ready = sum(_state(replica) == ReplicaState.READY for replica in replicas)
        return str(count_replicas([ready], 1, counter.layout.replicas))


@admin.register(ShardReplica)
class ShardReplicaAdmin(ReadOnlyAdmin):
    list_display = _REPLICA_LIST
    list_filter = (
        ("state", ChoicesRadioFilter),
        ("layout", RelatedDropdownFilter),
        ("model_version", RelatedDropdownFilter),
    )
    list_select_related = ("layout", "model_version")
    list_fullwidth = True
    ordering = ("layout_id", "model_version_id", "shard", "replica")
    sortable_by = ()
    fields = (
        *_REPLICA_LIST,
        "problem",
        "applied_seq",
        "digest",
        "epoch",
        "graph_documents",
        "unbuilt_documents",
        "heartbeat",
        "rebuild_wanted",
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[ShardReplica]:
        counters = ShardCounter.objects.filter(
            layout=OuterRef("layout"), model_version=OuterRef("model_version"), shard=OuterRef("shard")
        )
        head = Subquery(counters.values("head")[:1])
        replicas: QuerySet[ShardReplica] = super().get_queryset(request)
        return replicas.annotate(entries_behind=head - F("applied_seq"))

    @display(description="replica")
    def name(self, replica: ShardReplica) -> str:
        return f"shard {replica.shard} replica {replica.replica}"

    @display(description="state", label=_STATE_COLOURS)
    def state_label(self, replica: ShardReplica) -> str:
        return _state(replica)

    @display(description="entries behind")
    def lag(self, replica: ShardReplica) -> int | None:
        behind: int | None = getattr(replica, "entries_behind", None)
        return behind

    @display(description="last heard")
    def heartbeat_age(self, replica: ShardReplica) -> str:
        seconds = _seconds_since(replica.heartbeat)
        return f"{seconds:.0f} s ago" if seconds < 120 else f"{replica.heartbeat:%Y-%m-%d %H:%M}"

    @display(description="segments")
    def segment_counts(self, replica: ShardReplica) -> str:
        counts = [f"{replica.segments[kind]} {kind}" for kind in ("flat", "graph") if kind in replica.segments]
        return ", ".join(counts) or "not said"

    @display(description="loading")
    def loading(self, replica: ShardReplica) -> str:
        if replica.state != ReplicaState.LOADING:
            return ""
        if not replica.loading_total:
            return plural(replica.documents, "document")
        return (
            f"{min(1.0, replica.documents / replica.loading_total):.0%} of {plural(replica.loading_total, 'document')}"
        )

    @display(description="snapshot")
    def snapshot(self, replica: ShardReplica) -> str:
        if replica.snapshot_at is None:
            return "none"
        return f"{replica.snapshot_at:%Y-%m-%d %H:%M}, from entry {replica.snapshot_seq:,}"
