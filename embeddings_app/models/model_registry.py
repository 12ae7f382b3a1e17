"""Model versions."""

from typing import ClassVar

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import models

from embedding_project.config import load_config
from embedding_project.contracts.limits import MAX_MODEL_ID_LENGTH, MAX_TEXT_BYTES
from embedding_project.contracts.model_spec import ModelType, Runtime
from embedding_project.contracts.vector_storage import VectorStorage
from embedding_project.model_sources.endpoints import endpoint_problem


class ModelStatus(models.TextChoices):
    """Where a version stands. `services/model_versions/steps.py` says which step may follow which."""

    DRAFT = "draft"
    PROBED = "probed"
    BACKFILLING = "backfilling"
    SHADOW = "shadow", "shadow (complete, does not answer)"
    ACTIVE = "active"
    STANDBY = "standby", "standby (kept for rollback)"
    RETIRING = "retiring"
    RETIRED = "retired"


_SHARE = [MinValueValidator(0.0), MaxValueValidator(1.0)]
_NOT_OF_PAIRS = ("query_prompt", "document_prompt", "token_encoding", "min_dimension")
_ENDPOINT_FIELDS = ("endpoint", "endpoint_model", "secret_name", "requests_per_minute")
LIVE_STATUSES = (ModelStatus.BACKFILLING, ModelStatus.SHADOW, ModelStatus.ACTIVE, ModelStatus.STANDBY)
"""Versions that every write and delete must reach."""
SEARCHABLE_STATUSES = (ModelStatus.SHADOW, ModelStatus.ACTIVE, ModelStatus.STANDBY)
"""Versions whose index has all documents, so that a search may ask for them."""
EDITABLE_STATUSES = (ModelStatus.DRAFT, ModelStatus.PROBED)
"""Versions that have no vectors yet, so that their fields may change."""


class ModelRegistry(models.Model):
    """One version of one model. Versions of a `model_id` succeed each other; one of them is active."""

    model_id = models.CharField(
        max_length=MAX_MODEL_ID_LENGTH, validators=[RegexValidator(r"^[A-Za-z0-9][A-Za-z0-9._/-]*\Z")]
    )
    version = models.PositiveIntegerField(default=1, validators=[MinValueValidator(1)])
    type = models.CharField(max_length=16, choices=[(kind.value, kind.value) for kind in ModelType])
    artifact = models.CharField(
        max_length=512, blank=True, help_text="package:<python module>, or a folder below MODEL_ROOT"
    )
    endpoint = models.CharField(max_length=512, blank=True, help_text="OpenAI-compatible endpoint")
    modality = models.CharField(max_length=16, default="text")
    dimension = models.PositiveIntegerField(validators=[MinValueValidator(1), MaxValueValidator(16_384)])
    pooling = models.CharField(max_length=8, default="mean", choices=[(name, name) for name in ("mean", "cls", "last")])
    normalize = models.BooleanField(default=True, help_text="/v1/embed returns unit vectors unless asked otherwise")
    query_prompt = models.CharField(max_length=512, blank=True)
    document_prompt = models.CharField(max_length=512, blank=True)
    max_tokens = models.PositiveIntegerField(
        default=256, validators=[MinValueValidator(1), MaxValueValidator(MAX_TEXT_BYTES)]
    )
    dtype = models.CharField(max_length=8, default="fp32", choices=[(name, name) for name in ("fp32", "fp16", "bf16")])
    runtime = models.CharField(
        max_length=16,
        choices=[(kind.value, kind.value) for kind in Runtime],
        default=Runtime.AUTO.value,
        help_text="auto takes the fastest that gives the same vectors",
    )
    min_dimension = models.PositiveIntegerField(
        default=0, help_text="vectors may be cut down to this dimension; 0 if the model was not trained for it"
    )
    storage = models.CharField(
        max_length=8,
        choices=[(kind.value, kind.value) for kind in VectorStorage],
        default=VectorStorage.FP32.value,
        db_default=VectorStorage.FP32.value,
        help_text="how index nodes hold its vectors in graphs; fixed once there are vectors",
    )
    token_encoding = models.CharField(
        max_length=16,
        blank=True,
        choices=[("own", "own")],
        help_text="own: clients may send ids of the model's own vocabulary instead of text",
    )
    endpoint_model = models.CharField(
        max_length=MAX_MODEL_ID_LENGTH, blank=True, help_text="name of the model at its endpoint; model_id if empty"
    )
    secret_name = models.CharField(
        max_length=64,
        blank=True,
        validators=[RegexValidator(r"^[A-Za-z0-9][A-Za-z0-9_-]*\Z")],
        help_text="which of the embedders' secrets opens the endpoint",
    )
    requests_per_minute = models.PositiveIntegerField(
        default=0, help_text="what the endpoint allows all embedders together; 0 for no limit"
    )
    gate_samples = models.PositiveIntegerField(
        default=50,
        validators=[MinValueValidator(1), MaxValueValidator(1_000)],
        help_text="searches that a new version is measured with before it answers",
    )
    gate_overlap = models.FloatField(
        default=0.3, validators=_SHARE, help_text="least share of the first ten hits that both versions have"
    )
    gate_recall = models.FloatField(
        default=0.95, validators=_SHARE, help_text="least share of the ten nearest that its index finds"
    )
    gate_slowdown = models.FloatField(
        default=2.0,
        validators=[MinValueValidator(0.1), MaxValueValidator(1_000)],
        help_text="how much slower it may be than the version before, as a multiple",
    )
    gate_ndcg_drop = models.FloatField(
        default=0.02, validators=_SHARE, help_text="how much lower its nDCG@10 may be, where there are judgements"
    )
    recall_target = models.FloatField(
        default=0.97, validators=_SHARE, help_text='recall that a search with "ef_search": "auto" is to have'
    )
    auto_ef = models.PositiveIntegerField(null=True, blank=True, editable=False)
    auto_ef_at = models.DateTimeField(null=True, blank=True, editable=False)
    status = models.CharField(max_length=16, choices=ModelStatus.choices, default=ModelStatus.DRAFT)
    probed_at = models.DateTimeField(null=True, blank=True, editable=False)
    probe_error = models.TextField(blank=True, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        db_table = "model_registry"
        verbose_name = "model version"
        ordering: ClassVar = ["model_id", "-version"]
        permissions: ClassVar = [("operate_modelregistry", "Can probe, fill, switch and retire model versions")]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["model_id", "version"], name="model_version_unique"),
            models.UniqueConstraint(
                fields=["model_id"], condition=models.Q(status=ModelStatus.ACTIVE), name="model_one_active_version"
            ),
            models.CheckConstraint(condition=models.Q(dimension__gte=1), name="model_dimension_positive"),
            models.CheckConstraint(
                condition=models.Q(min_dimension__lte=models.F("dimension")), name="model_min_dimension_fits"
            ),
        ]

    def clean(self) -> None:
        """What no single field can tell. Raises ValidationError with the field to change."""
        if self.status not in EDITABLE_STATUSES:
            self._check_storage()
            return  # the other fields stay as they are
        problems = self._source_problems()
        if "versions" in self.model_id.split("/")[1:]:
            # /v1/models/a/versions has the versions of `a`.
            problems["model_id"] = "After a slash no part of the name may be 'versions'."
        if (self.min_dimension or 0) > (self.dimension or 0):
            problems["min_dimension"] = f"Must be at most the dimension, {self.dimension}."
        if problems:
            raise ValidationError(problems)

    def _check_storage(self) -> None:
        before = ModelRegistry.objects.filter(pk=self.pk).values_list("storage", flat=True).first()
        if before not in (None, self.storage):
            raise ValidationError(
                {"storage": f"The graphs of this version are {before}: register another version for {self.storage}."}
            )

    def _source_problems(self) -> dict[str, str]:
        if self.type == ModelType.OPENAI:
            problem = endpoint_problem(self.endpoint, load_config().endpoint_hosts)
            return ({"endpoint": f"{problem}."} if problem else {}) | (
                {"artifact": "A model behind an endpoint has no files here."} if self.artifact else {}
            )
        problems = {name: "Only models of type openai have it." for name in _ENDPOINT_FIELDS if getattr(self, name)}
        if self.type == ModelType.CROSS_ENCODER:
            problems |= {name: "A cross-encoder has none." for name in _NOT_OF_PAIRS if getattr(self, name)}
            if self.dimension != 1:
                problems["dimension"] = "A cross-encoder gives one number: 1."
        return problems

    def __str__(self) -> str:
        return f"{self.model_id} v{self.version}"
