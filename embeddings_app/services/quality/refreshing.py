"""Measurements brought up to date: of a version before it answers, and now and then of those that answer.

Each call keeps to a time, and keeps what it found until then.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import replace

from django.utils import timezone

from embedding_project.contracts.model_spec import ModelSpec
from embedding_project.threads.waiter import rest
from embeddings_app import registry
from embeddings_app.models import ModelRegistry, ModelStatus
from embeddings_app.records.judgements import Judged, judged_namespaces, judged_queries
from embeddings_app.records.measurements import Measured, active_versions, add_measurement, keep_auto_ef
from embeddings_app.services.quality.calibrating import calibrate
from embeddings_app.services.quality.judged import mean_ndcg, rankings
from embeddings_app.services.quality.measuring import compare, measure
from embeddings_app.services.quality.queries import all_queries, client_queries

REFRESH_SECONDS = 120.0
RECALL_QUERIES = 20
CALIBRATION_QUERIES = 50
CALIBRATED_SECONDS = 3_600.0
JUDGED_QUERIES = 200
"""Of each namespace: enough to see a difference of some hundredths."""
_MEASURING_SHARE = 0.6
"""Of the time, where judgements take the rest."""


def refresh_measurements(
    version: ModelRegistry, seconds: float = REFRESH_SECONDS, pause: Callable[[float], None] = rest
) -> Measured:
    """Measure the version beside the active version of its model, in `seconds`, and keep it for the gate.

    Raises model_not_active when its index is not whole.
    """
    began = time.monotonic()
    new, other = registry.asked_spec(version.model_id, version.version), active_beside(version)
    old = registry.spec_of(other) if other is not None else None
    queries = all_queries(new, version.gate_samples, comparable=old is not None)
    judged = [
        query
        for namespace_key in judged_namespaces(new.model_id)
        for query in judged_queries(namespace_key, JUDGED_QUERIES)
    ]
    until = began + seconds * (_MEASURING_SHARE if judged else 1.0)
    measured = measure(new, queries, until, pause) if old is None else compare(old, new, queries, until, pause)
    if judged:
        measured = _with_judgements(measured, old, new, judged, began + seconds)
    add_measurement(new.version_key, old.version_key if old else None, measured)
    return measured


def sample_recall(deadline: float, pause: Callable[[float], None] = rest) -> dict[str, float]:
    """Measure what clients' searches find with each active version, and now and then the breadth that `auto` needs,
    until `deadline` (monotonic seconds). Gives the recall of each version measured, by its name."""
    found = {}
    versions = list(active_versions())
    for place, version in enumerate(versions):
        now = time.monotonic()
        if now >= deadline:
            break
        recall = watch_version(version, now + (deadline - now) / (len(versions) - place), pause)
        if recall is not None:
            found[str(version)] = recall
    return found


def watch_version(version: ModelRegistry, deadline: float, pause: Callable[[float], None] = rest) -> float | None:
    """The same for one version; its recall, None when clients have not searched lately or nothing was answered."""
    now = time.monotonic()
    recall = _recall(version, now + (deadline - now) / 2, pause)
    _refresh_auto_ef(version, deadline, pause)
    return recall


def active_beside(version: ModelRegistry) -> ModelRegistry | None:
    """The version that answers now; None when it is this one, or none does."""
    active = ModelRegistry.objects.filter(model_id=version.model_id, status=ModelStatus.ACTIVE)
    return active.exclude(pk=version.pk).first()


def _with_judgements(
    measured: Measured, old: ModelSpec | None, new: ModelSpec, judged: Sequence[Judged], deadline: float
) -> Measured:
    now = time.monotonic()
    after = rankings(new, judged, now + (deadline - now) / 2)
    # The old version gets the same queries, so that the two figures can be compared.
    common = [query for query in judged if query.key in after]
    before = rankings(old, common, deadline) if old is not None else after
    common = [query for query in common if query.key in before]
    return replace(
        measured,
        judged_queries=len(common),
        ndcg=mean_ndcg(after, common),
        ndcg_before=mean_ndcg(before, common) if old is not None else None,
    )


def _recall(version: ModelRegistry, deadline: float, pause: Callable[[float], None]) -> float | None:
    spec = registry.spec_of(version)
    queries = client_queries(spec, RECALL_QUERIES)
    measured = measure(spec, queries, deadline, pause)
    if measured.recall is not None:
        add_measurement(spec.version_key, None, measured)
    return measured.recall


def _refresh_auto_ef(version: ModelRegistry, deadline: float, pause: Callable[[float], None]) -> None:
    at = version.auto_ef_at
    if at is not None and (timezone.now() - at).total_seconds() < CALIBRATED_SECONDS:
        return
    spec = registry.spec_of(version)
    queries = all_queries(spec, CALIBRATION_QUERIES, comparable=False)
    ef_search = calibrate(spec, version.recall_target, queries, deadline, pause)
    if ef_search is not None:
        keep_auto_ef(spec.version_key, ef_search)
