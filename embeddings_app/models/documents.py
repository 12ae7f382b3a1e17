"""Namespaces and their documents: the truth from which every index can be rebuilt."""

from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.contrib.postgres.search import SearchVectorField
from django.core.validators import RegexValidator
from django.db import models

from embedding_project.contracts.languages import OFF, TEXT_SEARCH
from embedding_project.contracts.limits import MAX_MODEL_ID_LENGTH, MAX_NAMESPACE_LENGTH


class Namespace(models.Model):
    """A set of documents searched together. Its model is fixed by the first write."""

    name = models.CharField(
        max_length=MAX_NAMESPACE_LENGTH, unique=True, validators=[RegexValidator(r"^[a-z0-9][a-z0-9_-]*\Z")]
    )
    model_id = models.CharField(max_length=MAX_MODEL_ID_LENGTH)
    store_text = models.BooleanField(
        default=True, help_text="Without stored text a model change asks the clients to send it again."
    )
    text_search = models.CharField(
        max_length=16,
        choices=[(name, name) for name in TEXT_SEARCH],
        default=OFF,
        db_default=OFF,
        editable=False,
        help_text="Language of the words that text search finds.",
    )
    words_reached = models.TextField(
        null=True,
        blank=True,
        editable=False,
        db_collation="C",
        help_text="Id up to which the words are as text_search says; null when all are.",
    )
    fields = ArrayField(models.TextField(), default=list, blank=True, help_text="Metadata fields seen so far.")
    created_at = models.DateTimeField(auto_now_add=True)
    dropped_at = models.DateTimeField(
        null=True, blank=True, editable=False, help_text="Its documents go; its name is free for another namespace."
    )

    class Meta:
        db_table = "namespace"
        ordering: ClassVar = ["name"]

    def __str__(self) -> str:
        return self.name


class Document(models.Model):
    """One document. A deleted one stays as a tombstone without content, so that its revisions go on rising."""

    # Without a check by Postgres for each row and without an index of its own: see decision 0029.
    namespace = models.ForeignKey(Namespace, on_delete=models.PROTECT, db_constraint=False, db_index=False)
    doc_id = models.TextField(db_collation="C")
    text = models.TextField(blank=True)
    metadata = models.JSONField(default=dict)
    content_hash = models.BinaryField(default=b"")
    revision = models.IntegerField(default=1)
    text_revision = models.IntegerField(default=1)
    deleted = models.BooleanField(default=False)
    shard_hash = models.IntegerField()
    expires_at = models.DateTimeField(
        null=True, blank=True, help_text="From then on no answer shows it; a job deletes it."
    )
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        db_table = "document"
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["namespace", "doc_id"], name="document_unique"),
            models.CheckConstraint(condition=models.Q(shard_hash__gte=0), name="document_shard_hash_positive"),
        ]
        indexes: ClassVar = [
            models.Index(
                fields=["expires_at"],
                condition=models.Q(deleted=False, expires_at__isnull=False),
                name="document_expiring",
            )
        ]

    def __str__(self) -> str:
        return self.doc_id


class DocumentWords(models.Model):
    """The words of one text, in a namespace with text search. Written with the document, gone with it."""

    # Bare keys: see decision 0029.
    document_id = models.BigIntegerField(primary_key=True)
    namespace_id = models.BigIntegerField()
    words = SearchVectorField()
    length = models.IntegerField(null=True, help_text="Different words; null where an older release wrote them.")

    class Meta:
        db_table = "document_words"
        verbose_name_plural = "document words"
        indexes: ClassVar = [
            models.Index(fields=["namespace_id", "document_id"], name="document_words_namespace"),
            # What waits outside of the tree is read by every search, so little may wait.
            GinIndex(fields=["words"], name="document_words_found", gin_pending_list_limit=512),
        ]

    def __str__(self) -> str:
        return str(self.document_id)
