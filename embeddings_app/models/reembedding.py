"""Re-embedding: the runs that give the documents of a model vectors of a new version, and their chunks."""

from typing import ClassVar

from django.db import models
from django.db.models.functions import Now

from embedding_project.contracts.limits import MAX_MODEL_ID_LENGTH
from embeddings_app.models.model_registry import ModelRegistry


class RunState(models.TextChoices):
    RUNNING = "running"
    PAUSED = "paused"
    FINISHED = "finished"
    CANCELLED = "cancelled"


OPEN_STATES = (RunState.RUNNING, RunState.PAUSED)


class ReembedRun(models.Model):
    """One backfill of one model version: waves of chunks, each of which covers a range of document keys."""

    model_version = models.ForeignKey(ModelRegistry, on_delete=models.PROTECT)
    model_id = models.CharField(max_length=MAX_MODEL_ID_LENGTH)
    state = models.CharField(max_length=12, choices=RunState.choices, default=RunState.RUNNING)
    wave = models.PositiveIntegerField(default=0, help_text="The newest wave of chunks; 0 before the first.")
    reached_key = models.BigIntegerField(default=0, help_text="The chunks made so far cover documents up to this key.")
    last_key = models.BigIntegerField(help_text="Later documents are written to the version by their upserts.")
    documents_total = models.BigIntegerField(
        default=0, help_text="Documents at the start, as far as they were counted."
    )
    documents_per_second = models.FloatField(null=True, blank=True, help_text="Limit of the rate; empty means none.")
    estimate = models.JSONField(default=dict, blank=True)
    started_by = models.CharField(max_length=150)
    started_at = models.DateTimeField(db_default=Now())
    progressed_at = models.DateTimeField(db_default=Now(), help_text="When a chunk last reported anything.")
    ended_at = models.DateTimeField(null=True, blank=True)
    problem = models.CharField(max_length=64, blank=True, help_text="What held up the run at its last try, as a code.")

    class Meta:
        db_table = "reembed_run"
        verbose_name = "re-embedding run"
        ordering: ClassVar = ["-id"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["model_id"], condition=models.Q(state__in=OPEN_STATES), name="reembed_one_open_run"
            ),
            models.CheckConstraint(
                condition=models.Q(documents_per_second__isnull=True) | models.Q(documents_per_second__gt=0),
                name="reembed_rate_positive",
            ),
        ]

    def __str__(self) -> str:
        return f"run {self.pk} of {self.model_id}"


class ReembedChunk(models.Model):
    """A range of document keys. A task works on it under a lease; a finished one is never worked on again."""

    run = models.ForeignKey(ReembedRun, on_delete=models.CASCADE, related_name="chunks")
    wave = models.PositiveIntegerField()
    first_key = models.BigIntegerField()
    last_key = models.BigIntegerField()
    embedded = models.IntegerField(default=0)
    cached = models.IntegerField(default=0, help_text="Of these, vectors that came from the cache.")
    refused = models.IntegerField(default=0, help_text="Texts that failed by themselves; the indexers try them again.")
    not_kept = models.IntegerField(default=0, help_text="Documents whose text is not stored: clients must send them.")
    lease_until = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        db_table = "reembed_chunk"
        ordering: ClassVar = ["id"]
        indexes: ClassVar = [models.Index(fields=["run", "wave"], name="reembed_chunk_wave")]

    def __str__(self) -> str:
        return f"documents {self.first_key} to {self.last_key}"
