"""Topology, and the change log that index nodes follow."""

import uuid
from typing import ClassVar

from django.db import models
from django.db.models import Value
from django.db.models.functions import Now

from embeddings_app.models.model_registry import ModelRegistry


class LayoutStatus(models.TextChoices):
    BUILDING = "building"
    ACTIVE = "active"
    STANDBY = "standby", "standby (was active, and can be again)"
    RETIRED = "retired"


WRITTEN_LAYOUTS = (LayoutStatus.BUILDING, LayoutStatus.ACTIVE, LayoutStatus.STANDBY)
"""Every write reaches the logs of these, and nodes hold them."""


class Layout(models.Model):
    """How documents are spread over shards. A second one lives beside it while it is built, and after a switch."""

    shards = models.PositiveSmallIntegerField()
    replicas = models.PositiveSmallIntegerField(default=1)
    status = models.CharField(max_length=12, choices=LayoutStatus.choices, default=LayoutStatus.ACTIVE)
    paused = models.BooleanField(db_default=False, help_text="Whether nodes leave unfinished loads of it alone.")
    kept_until = models.DateTimeField(null=True, blank=True, help_text="On standby: when it goes by itself.")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        db_table = "layout"
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["status"], condition=models.Q(status=LayoutStatus.ACTIVE), name="layout_one_active"
            ),
            models.CheckConstraint(
                condition=models.Q(shards__gte=1) & models.Q(replicas__gte=1), name="layout_not_empty"
            ),
        ]

    def __str__(self) -> str:
        return f"layout {self.pk}: {self.shards} x {self.replicas}"


class LogEpoch(models.Model):
    """The one row names the history the log belongs to; a restore changes it, and every node then rebuilds."""

    id = models.SmallIntegerField(primary_key=True, default=1)
    epoch = models.UUIDField(default=uuid.uuid4)

    class Meta:
        db_table = "log_epoch"
        constraints: ClassVar = [models.CheckConstraint(condition=models.Q(id=1), name="log_epoch_one_row")]

    def __str__(self) -> str:
        return str(self.epoch)


class ShardCounter(models.Model):
    """The last sequence number given out in one log. Its row lock puts numbers into commit order."""

    layout = models.ForeignKey(Layout, on_delete=models.CASCADE)
    model_version = models.ForeignKey(ModelRegistry, on_delete=models.CASCADE)
    shard = models.PositiveSmallIntegerField()
    head = models.BigIntegerField(default=0)

    class Meta:
        db_table = "shard_counter"
        verbose_name = "shard"
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["layout", "model_version", "shard"], name="counter_unique"),
        ]

    def __str__(self) -> str:
        return f"shard {self.shard} at {self.head}"


class ShardChange(models.Model):
    """One entry of a log: a document that changed, or a bulk-built segment file that covers a range."""

    pk = models.CompositePrimaryKey("layout_id", "model_version_id", "shard", "seq")
    # Without checks by Postgres for each row and without indexes of their own: see decision 0029.
    layout = models.ForeignKey(Layout, on_delete=models.DO_NOTHING, db_constraint=False, db_index=False)
    model_version = models.ForeignKey(ModelRegistry, on_delete=models.DO_NOTHING, db_constraint=False, db_index=False)
    shard = models.PositiveSmallIntegerField()
    seq = models.BigIntegerField()
    kind = models.CharField(max_length=8, default="document", choices=[(k, k) for k in ("document", "segment")])
    document_id = models.BigIntegerField(null=True)
    revision = models.IntegerField(null=True)
    segment = models.JSONField(null=True)
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        db_table = "shard_change"

    def __str__(self) -> str:
        return f"shard {self.shard} seq {self.seq}"


class ReplicaState(models.TextChoices):
    LOADING = "loading"
    READY = "ready"
    BEHIND = "behind"
    NO_ROOM = "no_room", "no room (not loaded for want of memory)"


class ShardReplica(models.Model):
    """How far one replica has followed one log, as it says itself."""

    layout = models.ForeignKey(Layout, on_delete=models.CASCADE)
    model_version = models.ForeignKey(ModelRegistry, on_delete=models.CASCADE)
    shard = models.PositiveSmallIntegerField()
    replica = models.PositiveSmallIntegerField()
    epoch = models.UUIDField()
    applied_seq = models.BigIntegerField(default=0)
    state = models.CharField(max_length=8, choices=ReplicaState.choices)
    problem = models.TextField(db_default="", blank=True, help_text="Why it is not loaded; empty when it is.")
    digest = models.BigIntegerField(default=0)
    documents = models.BigIntegerField(default=0, help_text="Live documents.")
    graph_documents = models.BigIntegerField(default=0, help_text="Live documents in HNSW segments.")
    unbuilt_documents = models.BigIntegerField(
        db_default=0, help_text="Live documents in no graph yet, of the namespace that has the most of them."
    )
    overdue_namespaces = models.IntegerField(
        null=True,
        blank=True,
        help_text="Namespaces that have more documents in no graph than builds wait for; an older node does not say.",
    )
    built_per_second = models.FloatField(
        db_default=0.0, help_text="Documents that it brought into graphs a second, lately; 0 when unknown."
    )
    namespace_sizes = models.JSONField(
        null=True,
        blank=True,
        help_text="Live documents of its largest namespaces, by key: named. No other namespace has more than: others.",
    )
    loading_total = models.BigIntegerField(db_default=0, help_text="Documents to load while loading; 0 when unknown.")
    memory_bytes = models.BigIntegerField(
        db_default=0, help_text="Memory of its process, with all indexes that it serves; 0 when unknown."
    )
    free_memory_bytes = models.BigIntegerField(
        db_default=0, help_text="Memory that its process may still take, as it reckons before it loads."
    )
    segments = models.JSONField(
        db_default=Value({}, models.JSONField()), blank=True, help_text="Segments of each kind: flat, graph."
    )
    snapshot_seq = models.BigIntegerField(
        db_default=0,
        help_text="Sequence number of the oldest snapshot kept; 0 without one. The log is kept from there.",
    )
    snapshot_at = models.DateTimeField(null=True, blank=True, help_text="When the newest snapshot was verified.")
    awaited_seq = models.BigIntegerField(
        db_default=0, help_text="Sequence number that somebody waits for: the replica soon says when it has applied it."
    )
    prepared = models.JSONField(
        null=True,
        blank=True,
        help_text="Bundles that it gets ready, by bulk job; none of a node that cannot take bundles over.",
    )
    heartbeat = models.DateTimeField()
    rebuild_wanted = models.BooleanField(
        db_default=False,
        help_text="Whether the replica is asked to load its index again. It takes the wish back itself.",
    )

    class Meta:
        db_table = "shard_replica"
        verbose_name = "replica"
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["layout", "model_version", "shard", "replica"], name="replica_unique"),
        ]

    def __str__(self) -> str:
        return f"shard {self.shard} replica {self.replica}: {self.state}"
