"""Embeddings of documents: the narrow record that work is claimed from, and the vectors beside it."""

from typing import ClassVar

from django.db import models

from embeddings_app.models.documents import Document
from embeddings_app.models.model_registry import ModelRegistry


class RecordState(models.TextChoices):
    PENDING = "pending"
    READY = "ready"
    QUARANTINED = "quarantined"


class EmbeddingRecord(models.Model):
    """Where one document stands under one model version. A pending record is work, whatever the queues say."""

    # Without checks by Postgres for each row and without indexes of their own: see decision 0029.
    document = models.ForeignKey(Document, on_delete=models.CASCADE, db_constraint=False, db_index=False)
    model_version = models.ForeignKey(ModelRegistry, on_delete=models.DO_NOTHING, db_constraint=False, db_index=False)
    namespace_id = models.BigIntegerField(
        db_default=0,
        help_text="Whose turn it waits for; 0 in records that never waited, or that an older release wrote.",
    )
    text_revision = models.IntegerField(default=0, help_text="Revision of the text that was embedded; 0 is none.")
    content_hash = models.BinaryField(default=b"")
    state = models.CharField(max_length=12, choices=RecordState.choices, default=RecordState.PENDING)
    lease_until = models.DateTimeField(null=True, blank=True)
    next_attempt_at = models.DateTimeField()
    attempts = models.SmallIntegerField(default=0, help_text="Failures that were this text's own fault.")
    batch_limit = models.SmallIntegerField(
        default=64, help_text="Halved when a batch took its worker down, until the culprit is alone."
    )
    last_error = models.TextField(blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        db_table = "embedding_record"
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["document", "model_version"], name="record_unique"),
        ]
        indexes: ClassVar = [
            models.Index(fields=["next_attempt_at"], condition=models.Q(state="pending"), name="record_pending"),
            models.Index(
                fields=["model_version", "namespace_id", "next_attempt_at"],
                condition=models.Q(state="pending"),
                name="record_turns",
            ),
            models.Index(fields=["model_version", "id"], condition=models.Q(state="quarantined"), name="record_poison"),
        ]

    def __str__(self) -> str:
        return f"record of document {self.document_id}: {self.state}"


class EmbeddingVector(models.Model):
    """The unit vector of a document under one model version, in a partition of that version (created by SQL)."""

    pk = models.CompositePrimaryKey("model_version_id", "document_id")
    model_version_id = models.BigIntegerField()
    document_id = models.BigIntegerField()
    text_revision = models.IntegerField()
    vector = models.BinaryField()

    class Meta:
        db_table = "embedding_vector"
        managed = False

    def __str__(self) -> str:
        return f"{self.document_id} revision {self.text_revision}"
