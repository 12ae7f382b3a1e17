"""What model versions are judged by: searches of clients, judgements of people, and what was measured with them."""

from typing import ClassVar

from django.db import models
from django.db.models.functions import Now

from embedding_project.contracts.limits import MAX_MODEL_ID_LENGTH
from embeddings_app.models.documents import Namespace
from embeddings_app.models.model_registry import ModelRegistry


class SearchSample(models.Model):
    """A search of a client, kept for some days to measure versions of its model with it."""

    model_id = models.CharField(max_length=MAX_MODEL_ID_LENGTH)
    namespace = models.ForeignKey(Namespace, on_delete=models.CASCADE)
    text = models.TextField(blank=True, help_text="In normal form; empty where the client sent a vector.")
    vector = models.BinaryField(null=True, help_text="Of unit length, float32.")
    model_version = models.ForeignKey(
        ModelRegistry, null=True, on_delete=models.CASCADE, help_text="The only version that can read the vector."
    )
    top_k = models.PositiveSmallIntegerField()
    filter = models.TextField(blank=True, help_text="Canonical JSON of the filter.")
    ef_search = models.PositiveSmallIntegerField(null=True, help_text="As the client asked for it; empty for auto.")
    taken_at = models.DateTimeField(db_default=Now())

    class Meta:
        db_table = "search_sample"
        indexes: ClassVar = [models.Index(fields=["model_id", "-id"], name="search_sample_newest")]

    def __str__(self) -> str:
        return f"{self.model_id} {self.taken_at:%Y-%m-%d %H:%M}"


class VersionMeasurement(models.Model):
    """What one run of searches found out about a version, alone or beside the version that it is to follow."""

    model_version = models.ForeignKey(ModelRegistry, on_delete=models.CASCADE, related_name="+")
    compared_with = models.ForeignKey(ModelRegistry, null=True, on_delete=models.CASCADE, related_name="+")
    taken_at = models.DateTimeField(db_default=Now())
    queries = models.PositiveIntegerField(help_text="That were to be searched with.")
    searches = models.PositiveIntegerField(help_text="Of these, answered in time.")
    synthetic = models.PositiveIntegerField(help_text="Of the queries, made from documents.")
    small = models.PositiveIntegerField(help_text="Of the searches, such as find fewer than ten documents.")
    recall = models.FloatField(null=True, help_text="Share of the ten nearest that a search finds.")
    latency_p50_ms = models.FloatField(null=True)
    latency_p99_ms = models.FloatField(null=True)
    overlap = models.FloatField(null=True, help_text="Share of the first ten that both versions find.")
    slowdown = models.FloatField(null=True, help_text="Median latency, as a multiple of the other version's.")
    judged_queries = models.PositiveIntegerField(default=0)
    ndcg = models.FloatField(null=True, help_text="nDCG at 10, by the judgements of people.")
    ndcg_before = models.FloatField(null=True, help_text="The same of the other version, over the same queries.")

    class Meta:
        db_table = "version_measurement"
        indexes: ClassVar = [
            models.Index(fields=["model_version", "compared_with", "-id"], name="version_measurement_newest")
        ]

    def __str__(self) -> str:
        return f"{self.model_version_id} {self.taken_at:%Y-%m-%d %H:%M}"


class JudgedQuery(models.Model):
    """A query for which people said what is relevant."""

    namespace = models.ForeignKey(Namespace, on_delete=models.CASCADE)
    query_id = models.TextField()
    text = models.TextField(help_text="In normal form.")

    class Meta:
        db_table = "judged_query"
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["namespace", "query_id"], name="judged_query_unique"),
        ]

    def __str__(self) -> str:
        return self.query_id


class Judgement(models.Model):
    """How relevant one document is for one query; 0 is not at all."""

    query = models.ForeignKey(JudgedQuery, on_delete=models.CASCADE)
    doc_id = models.TextField()
    relevance = models.PositiveSmallIntegerField()

    class Meta:
        db_table = "judgement"
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["query", "doc_id"], name="judgement_unique"),
        ]

    def __str__(self) -> str:
        return f"{self.doc_id}: {self.relevance}"
