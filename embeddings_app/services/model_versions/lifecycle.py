"""Life of a model version: registered as a draft, probed, activated."""

import time
from dataclasses import dataclass

import numpy as np
from django.db import transaction
from django.utils import timezone

from embedding_project.contracts.errors import ERROR_KINDS, ServiceError
from embedding_project.contracts.keys import InputType
from embedding_project.contracts.limits import EMBED_DEADLINE_SECONDS
from embedding_project.contracts.messages import Lane
from embedding_project.contracts.model_spec import ModelSpec, ModelType
from embeddings_app import registry
from embeddings_app.models import Document, ModelRegistry, ModelStatus
from embeddings_app.records import model_locks, vector_partitions
from embeddings_app.records.topology import create_counters, writable_layouts
from embeddings_app.services import audit
from embeddings_app.services.embedding.embed import embed_texts

PROBE_TEXTS = (
    "The quick brown fox jumps over the lazy dog.",
    "Ein kurzer Satz.",
    "x",
    "A much longer text that runs past a few dozen tokens so that pooling has something to average. " * 4,
)


@dataclass(frozen=True, slots=True)
class ProbeOutcome:
    ok: bool
    message: str


def probe(version: ModelRegistry, actor: str) -> ProbeOutcome:
    """Embed a few texts with the version, past the cache, and keep the outcome with it."""
    spec = registry.spec_of(version)
    problem = "" if spec.type is ModelType.EXTERNAL else _embedding_problem(spec)
    version.probed_at = timezone.now()
    version.probe_error = problem
    with transaction.atomic():
        version.save(update_fields=["probed_at", "probe_error"])
        audit.record(actor, "model.probed", str(version), {"passed": not problem})
    return ProbeOutcome(not problem, problem or f"{len(PROBE_TEXTS)} texts, dimension {spec.dimension}")


def _embedding_problem(spec: ModelSpec) -> str:
    """What is wrong with the vectors that the model gives; empty for nothing."""
    deadline = time.monotonic() + EMBED_DEADLINE_SECONDS
    outcomes = embed_texts(
        spec, InputType.DOCUMENT, PROBE_TEXTS, Lane.INTERACTIVE, deadline, use_cache=False, reserve=True
    )
    for outcome in outcomes:
        if outcome.vector is None:
            return f"could not embed: {ERROR_KINDS[outcome.error or 'model_error'].meaning}"
    vectors = np.stack([outcome.vector for outcome in outcomes if outcome.vector is not None])
    vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    nearest = float((vectors @ vectors.T - 2 * np.eye(len(vectors))).max())
    return "different texts give the same vector" if nearest > 0.9999 else ""


def activate(version: ModelRegistry, actor: str) -> None:
    """Make the version the one that answers. Raises ServiceError while documents would be left without vectors."""
    if version.status == ModelStatus.ACTIVE:
        return
    if version.probed_at is None or version.probe_error:
        raise ServiceError("model_not_active", "probe the version first; it must pass")
    with transaction.atomic():
        model_locks.lock_exclusive(version.model_id)
        if Document.objects.filter(namespace__model_id=version.model_id, deleted=False).exists():
            raise ServiceError("model_not_active", f"documents of {version.model_id!r} have no vectors of this version")
        ModelRegistry.objects.filter(model_id=version.model_id, status=ModelStatus.ACTIVE).update(
            status=ModelStatus.RETIRED
        )
        prepare_indexes(version)
        version.status = ModelStatus.ACTIVE
        version.save(update_fields=["status"])
        audit.record(actor, "model.activated", str(version))
    registry.forget_cached()


def prepare_indexes(version: ModelRegistry) -> None:
    """The vector partition and the logs of a version, before its first write."""
    vector_partitions.create_vector_partition(version.pk)
    for layout in writable_layouts():
        create_counters(layout, version.pk)
