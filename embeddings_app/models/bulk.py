"""Bulk jobs: what they read, how far they have come, and the block of document keys that they fill."""

from typing import ClassVar

from django.db import models
from django.db.models import F, Q, Value
from django.db.models.functions import Now

from embeddings_app.models.documents import Namespace
from embeddings_app.models.model_registry import ModelRegistry
from embeddings_app.models.shards import Layout


class BulkState(models.TextChoices):
    QUEUED = "queued", "queued (nobody has looked at its files yet)"
    PLANNED = "planned"
    LOADING = "loading"
    BUILDING = "building"
    PREPARING = "preparing"
    REGISTERING = "registering"
    DONE = "done"
    FAILED = "failed", "failed (resume or abort it)"
    ABORTING = "aborting"
    ABORTED = "aborted"


OPEN_BULK_STATES = (
    BulkState.QUEUED,
    BulkState.PLANNED,
    BulkState.LOADING,
    BulkState.BUILDING,
    BulkState.PREPARING,
    BulkState.REGISTERING,
    BulkState.FAILED,
    BulkState.ABORTING,
)
"""Their rows may be hidden from index nodes."""


class BulkWish(models.TextChoices):
    RUN = "run"
    PAUSE = "pause"
    ABORT = "abort"


class BulkJob(models.Model):
    """One load of files into one namespace. Whoever holds the lease works on it; another one goes on when it dies."""

    namespace = models.ForeignKey(Namespace, on_delete=models.CASCADE, null=True, blank=True)
    new_namespace = models.CharField(
        max_length=64, blank=True, default="", db_default="", help_text="Its name, until files were found for it."
    )
    model_version = models.ForeignKey(ModelRegistry, on_delete=models.PROTECT)
    epoch = models.UUIDField(help_text="History that the job belongs to; after a restore it can only be aborted.")
    state = models.CharField(max_length=12, choices=BulkState.choices, default=BulkState.PLANNED)
    wanted = models.CharField(max_length=8, choices=BulkWish.choices, default=BulkWish.RUN)
    options = models.JSONField(default=dict, help_text="Format, columns, and what to do with existing documents.")
    splitters = models.JSONField(default=list, help_text="The first id of each bucket but the first.")
    idempotency_key = models.CharField(max_length=128, null=True, blank=True, unique=True)
    request_hash = models.BinaryField(null=True, blank=True, help_text="SHA-256 of what was asked for with the key.")
    by_role = models.BooleanField(
        default=False, db_default=False, help_text="Whether the role bulk works on it, and no command."
    )
    plan = models.JSONField(
        default=dict,
        db_default=Value({}, models.JSONField()),
        blank=True,
        help_text="Rows, bytes and seconds that were expected.",
    )
    rejects_sample = models.JSONField(
        default=list,
        db_default=Value([], models.JSONField()),
        blank=True,
        help_text="Some rejected rows, without their texts.",
    )
    counts = models.JSONField(default=dict, blank=True, help_text="Rows by outcome, of a job that has ended.")
    under_way = models.BigIntegerField(
        default=0, db_default=0, help_text="Rows that are spread or loaded, by tasks that have not ended yet."
    )
    under_way_rate = models.FloatField(default=0.0, db_default=0.0, help_text="Rows a second of these tasks.")
    registering_seconds = models.FloatField(
        null=True, blank=True, help_text="The longest transaction that made documents visible, as its leader saw it."
    )
    following_seconds = models.FloatField(
        null=True,
        blank=True,
        help_text="From the transaction that made all visible at once until replicas had taken them over.",
    )
    error = models.TextField(blank=True)
    worker = models.CharField(max_length=128, blank=True)
    lease_until = models.DateTimeField(null=True, blank=True)
    actor = models.CharField(max_length=150)
    created_at = models.DateTimeField(db_default=Now(), help_text="Later writes of clients are newer than the files.")
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        db_table = "bulk_job"
        ordering: ClassVar = ["-id"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["namespace"], condition=Q(state__in=OPEN_BULK_STATES), name="bulk_one_open_job"
            ),
        ]

    def __str__(self) -> str:
        return f"bulk job {self.pk}: {self.state}"

    @property
    def namespace_name(self) -> str:
        return self.namespace.name if self.namespace else self.new_namespace

    @property
    def space(self) -> Namespace:
        """The namespace of a job whose files were found."""
        if self.namespace is None:
            raise ValueError(f"{self} has no namespace yet")
        return self.namespace


class BulkFile(models.Model):
    """One file of a job or a part of one, as it was at the plan, and its rows by bucket once it was spread."""

    pk = models.CompositePrimaryKey("job_id", "number")
    job = models.ForeignKey(BulkJob, on_delete=models.CASCADE, related_name="files")
    number = models.IntegerField()
    path = models.TextField()
    size = models.BigIntegerField()
    modified_ns = models.BigIntegerField()
    etag = models.CharField(
        max_length=256, default="", db_default="", help_text="Of an object: the mark of its content at the plan."
    )
    rows = models.BigIntegerField(default=0, help_text="Read from it.")
    rejected = models.BigIntegerField(default=0)
    spread = models.JSONField(null=True, help_text="Names of its bucket files, with the rows of each bucket.")

    class Meta:
        db_table = "bulk_file"

    def __str__(self) -> str:
        return self.path


class BulkBlock(models.Model):
    """The keys of the documents that a job inserts. Beyond `opened_to` index nodes do not see their vectors yet, as
    long as nobody else changed the document."""

    job = models.OneToOneField(BulkJob, on_delete=models.CASCADE, primary_key=True)
    model_version = models.ForeignKey(ModelRegistry, on_delete=models.PROTECT)
    first_key = models.BigIntegerField()
    last_key = models.BigIntegerField()
    opened_to = models.BigIntegerField()

    class Meta:
        db_table = "bulk_block"
        indexes: ClassVar = [
            models.Index(
                fields=["model_version", "last_key"], condition=Q(opened_to__lt=F("last_key")), name="bulk_block_closed"
            ),
        ]

    def __str__(self) -> str:
        return f"keys {self.first_key} to {self.last_key}"


class BulkBucket(models.Model):
    """A bucket whose rows are in the tables. Its transaction wrote this row too, so it is loaded exactly once."""

    pk = models.CompositePrimaryKey("job_id", "number")
    job = models.ForeignKey(BulkJob, on_delete=models.CASCADE, related_name="buckets")
    number = models.IntegerField()
    inserted = models.BigIntegerField(default=0)
    updated = models.BigIntegerField(default=0)
    unchanged = models.BigIntegerField(default=0)
    superseded = models.BigIntegerField(default=0, help_text="Documents that a client wrote after the job was made.")
    duplicates = models.BigIntegerField(default=0, help_text="Rows whose id a later row of the files has too.")
    rejected = models.BigIntegerField(default=0, db_default=0, help_text="Rows whose text the model could not embed.")
    seconds = models.FloatField(default=0.0)
    loaded_at = models.DateTimeField(db_default=Now())

    class Meta:
        db_table = "bulk_bucket"

    def __str__(self) -> str:
        return f"bucket {self.number}"


class BulkBundle(models.Model):
    """Documents of one shard with a graph of them, built by the job as files in a folder. Index nodes take it over when
    they meet the entry of the job in their log."""

    pk = models.CompositePrimaryKey("job_id", "shard", "part")
    job = models.ForeignKey(BulkJob, on_delete=models.CASCADE, related_name="bundles")
    layout = models.ForeignKey(Layout, on_delete=models.CASCADE)
    shard = models.PositiveSmallIntegerField()
    part = models.IntegerField()
    path = models.TextField()
    sha256 = models.CharField(max_length=64, help_text="Of its manifest, which has those of its files.")
    rows = models.BigIntegerField()
    size = models.BigIntegerField(help_text="Bytes of its files.")
    digest = models.BigIntegerField()
    first_key = models.BigIntegerField()
    last_key = models.BigIntegerField()
    seq = models.BigIntegerField(null=True, help_text="The entry of the log that stands for it, once there is one.")

    class Meta:
        db_table = "bulk_bundle"

    def __str__(self) -> str:
        return f"bundle of shard {self.shard}, part {self.part}"


class BulkTouched(models.Model):
    """A document of a closed block that a client changed or deleted. The registration names it in the log once more,
    behind the block."""

    pk = models.CompositePrimaryKey("job_id", "document_id")
    job = models.ForeignKey(BulkJob, on_delete=models.CASCADE)
    document_id = models.BigIntegerField()

    class Meta:
        db_table = "bulk_touched"

    def __str__(self) -> str:
        return str(self.document_id)
