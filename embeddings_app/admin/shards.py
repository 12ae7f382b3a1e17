"""Layouts, and how far each shard replica has followed its log."""

from django.contrib import admin
from django.db.models import F, OuterRef, QuerySet, Subquery
from django.http import HttpRequest

from embeddings_app.admin.read_only import ReadOnlyAdmin
from embeddings_app.models import Layout, ShardCounter, ShardReplica


@admin.register(Layout)
class LayoutAdmin(ReadOnlyAdmin):
    list_display = ("id", "shards", "replicas", "status", "created_at")


@admin.register(ShardReplica)
class ShardReplicaAdmin(ReadOnlyAdmin):
    list_display = ("__str__", "layout", "model_version", "applied_seq", "lag", "documents", "heartbeat")
    list_filter = ("state", "layout", "model_version")
    list_select_related = ("layout", "model_version")
    ordering = ("layout", "model_version", "shard", "replica")

    def get_queryset(self, request: HttpRequest) -> QuerySet[ShardReplica]:
        counters = ShardCounter.objects.filter(
            layout=OuterRef("layout"), model_version=OuterRef("model_version"), shard=OuterRef("shard")
        )
        head = Subquery(counters.values("head")[:1])
        replicas: QuerySet[ShardReplica] = super().get_queryset(request)
        return replicas.annotate(entries_behind=head - F("applied_seq"))

    @admin.display(description="entries behind")
    def lag(self, replica: ShardReplica) -> int | None:
        behind: int | None = getattr(replica, "entries_behind", None)
        return behind
