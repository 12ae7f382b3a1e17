"""Probing: a few texts embedded with a version, before anything depends on it."""

import time
from dataclasses import dataclass

import numpy as np
from django.db import transaction
from django.utils import timezone

from embedding_project.broker.model_problems import reported_problem
from embedding_project.broker.redis_clients import broker_client
from embedding_project.config import load_config
from embedding_project.contracts.errors import ERROR_KINDS, ServiceError
from embedding_project.contracts.keys import InputType
from embedding_project.contracts.limits import EMBED_DEADLINE_SECONDS
from embedding_project.contracts.messages import Lane
from embedding_project.contracts.model_spec import ModelSpec, ModelType
from embeddings_app import registry
from embeddings_app.models import EDITABLE_STATUSES, ModelRegistry, ModelStatus
from embeddings_app.services import audit
from embeddings_app.services.embedding.embed import INFRASTRUCTURE_ERRORS, EmbedOutcome, embed_texts, score_pairs
from embeddings_app.services.model_versions.steps import illegal, take_step

PROBE_TEXTS = (
    "The quick brown fox jumps over the lazy dog.",
    "Ein kurzer Satz.",
    "x",
    "A much longer text that runs past a few dozen tokens so that pooling has something to average. " * 4,
)
PATIENCE_SECONDS = 120.0
"""For callers that can wait: the first probe of a model waits for its load, which takes long on a busy machine."""
_PAUSE_SECONDS = 1.0
_MODEL_FAULTS = frozenset({"model_unavailable"})
"""Outcomes that say something about the model although a later try may go better."""


@dataclass(frozen=True, slots=True)
class ProbeOutcome:
    ok: bool
    message: str


@dataclass(frozen=True, slots=True)
class _Problem:
    message: str
    of_model: bool
    """False when the service could not try: that says nothing about the version."""


def probe(version: ModelRegistry, actor: str, *, patience_seconds: float = 0.0) -> ProbeOutcome:
    """Embed a few texts with the version, past the cache, and keep the outcome with it. Raises ServiceError for a
    version that is retired. While the service itself fails, it tries again for `patience_seconds`.

    A draft that passes is probed; a probed version that fails is a draft again, unless the service failed and not it.
    """
    if version.status in (ModelStatus.RETIRING, ModelStatus.RETIRED):
        raise illegal(version, "probed")
    spec = registry.spec_of(version)
    until = time.monotonic() + patience_seconds
    problem = _problem_of(spec)
    while problem and not problem.of_model and time.monotonic() < until:
        time.sleep(_PAUSE_SECONDS)
        problem = _problem_of(spec)
    with transaction.atomic():
        if problem is None or problem.of_model or version.status not in EDITABLE_STATUSES:
            version.probed_at, version.probe_error = timezone.now(), problem.message if problem else ""
            version.save(update_fields=["probed_at", "probe_error"])
        audit.record(actor, "model.probed", str(version), {"passed": problem is None})
        _follow(version, problem, actor)
    if problem:
        return ProbeOutcome(False, problem.message)
    return ProbeOutcome(True, f"{len(PROBE_TEXTS)} texts, dimension {spec.dimension}")


def _follow(version: ModelRegistry, problem: _Problem | None, actor: str) -> None:
    if version.status == ModelStatus.DRAFT and problem is None:
        take_step(version, ModelStatus.PROBED, actor)
    elif version.status == ModelStatus.PROBED and problem is not None and problem.of_model:
        take_step(version, ModelStatus.DRAFT, actor, problem.message)


def _problem_of(spec: ModelSpec) -> _Problem | None:
    """What is wrong with the vectors that the model gives; vectors of clients need no probe."""
    if spec.type is ModelType.EXTERNAL:
        return None
    deadline = time.monotonic() + EMBED_DEADLINE_SECONDS
    try:
        outcomes = _outcomes(spec, deadline)
    except ServiceError as error:
        return _Problem(f"could not embed: {error.message}", of_model=False)
    for outcome in outcomes:
        if outcome.vector is None:
            return _failed(spec, outcome.error or "model_error")
    vectors = np.stack([outcome.vector for outcome in outcomes if outcome.vector is not None])
    if spec.type is ModelType.CROSS_ENCODER:
        return None if np.unique(vectors).size > 1 else _Problem("different texts get the same score", of_model=True)
    vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    nearest = float((vectors @ vectors.T - 2 * np.eye(len(vectors))).max())
    return _Problem("different texts give the same vector", of_model=True) if nearest > 0.9999 else None


def _outcomes(spec: ModelSpec, deadline: float) -> list[EmbedOutcome]:
    if spec.type is ModelType.CROSS_ENCODER:
        return score_pairs(spec, PROBE_TEXTS[0], PROBE_TEXTS, deadline, use_cache=False)
    return embed_texts(spec, InputType.DOCUMENT, PROBE_TEXTS, Lane.INTERACTIVE, deadline, use_cache=False, reserve=True)


def _failed(spec: ModelSpec, code: str) -> _Problem:
    why = reported_problem(broker_client(load_config().redis_url), spec.version_key) if code in _MODEL_FAULTS else ""
    of_model = code not in INFRASTRUCTURE_ERRORS or code in _MODEL_FAULTS
    return _Problem(f"could not embed: {why or ERROR_KINDS[code].meaning}", of_model)
