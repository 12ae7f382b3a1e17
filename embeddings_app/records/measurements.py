"""What was measured of model versions. Each pair of versions keeps its newest measurements."""

from dataclasses import asdict, dataclass, fields
from datetime import timedelta

from django.db.models import F, QuerySet
from django.db.models.functions import Now

from embeddings_app.models import ModelRegistry, ModelStatus, VersionMeasurement
from embeddings_app.records.sql import rows

KEPT_MEASUREMENTS = 100
"""Of one version beside one other, and of one version alone."""
_SHOWN_HOURS = 2
"""An older recall says nothing of the searches of now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """The figures of one run. A figure that could not be measured is None."""

    queries: int
    """That were to be searched with."""
    searches: int
    """Of these, answered in time."""
    synthetic: int
    """Of the queries, made from documents."""
    small: int
    """Of the searches, such as find fewer than ten documents."""
    recall: float | None = None
    """Share of the ten nearest documents that a search finds."""
    latency_p50_ms: float | None = None
    latency_p99_ms: float | None = None
    overlap: float | None = None
    """Share of the first ten hits that both versions have."""
    slowdown: float | None = None
    """Median latency, as a multiple of the other version's."""
    judged_queries: int = 0
    ndcg: float | None = None
    """nDCG at 10, by the judgements of people."""
    ndcg_before: float | None = None
    """The same of the other version, over the same queries."""


@dataclass(frozen=True, slots=True)
class StoredMeasurement:
    measured: Measured
    age_seconds: float


@dataclass(frozen=True, slots=True)
class VersionRecall:
    """What searches of clients find, by the newest measurement."""

    model_id: str
    version: int
    recall: float


_FIGURES = tuple(field.name for field in fields(Measured))


def add_measurement(version_key: int, compared_with: int | None, measured: Measured) -> None:
    """Keep the measurement of a version, alone or beside another one; the oldest of the same kind go."""
    kind = {"model_version_id": version_key, "compared_with_id": compared_with}
    VersionMeasurement.objects.create(**kind, **asdict(measured))
    same = _of(version_key, compared_with)
    for key in same.order_by("-pk").values_list("pk", flat=True)[KEPT_MEASUREMENTS : KEPT_MEASUREMENTS + 1]:
        same.filter(pk__lte=key).delete()


def newest_measurement(version_key: int, compared_with: int | None) -> StoredMeasurement | None:
    found = (
        _of(version_key, compared_with)
        .order_by("-pk")
        .annotate(age=Now() - F("taken_at"))
        .values("age", *_FIGURES)
        .first()
    )
    if found is None:
        return None
    age: timedelta = found.pop("age")
    return StoredMeasurement(Measured(**found), age.total_seconds())


def newest_recalls() -> list[VersionRecall]:
    """Of each active version whose clients' searches were measured in the last hours."""
    found = rows(
        """
        SELECT v.model_id, v.version, m.recall FROM model_registry v CROSS JOIN LATERAL (
            SELECT recall FROM version_measurement
            WHERE model_version_id = v.id AND compared_with_id IS NULL AND synthetic = 0 AND recall IS NOT NULL
              AND taken_at > now() - make_interval(hours => %s)
            ORDER BY id DESC LIMIT 1
        ) AS m WHERE v.status = %s
        """,
        [_SHOWN_HOURS, ModelStatus.ACTIVE],
    )
    return [VersionRecall(*entry) for entry in found]


def active_versions() -> list[ModelRegistry]:
    """Of every model, in the order in which their breadth was found: those never calibrated, then the oldest."""
    active = ModelRegistry.objects.filter(status=ModelStatus.ACTIVE)
    return list(active.order_by(F("auto_ef_at").asc(nulls_first=True), "pk"))


def keep_auto_ef(version_key: int, ef_search: int) -> None:
    """Keep the breadth that calibration found."""
    ModelRegistry.objects.filter(pk=version_key).update(auto_ef=ef_search, auto_ef_at=Now())


def _of(version_key: int, compared_with: int | None) -> QuerySet[VersionMeasurement]:
    beside = {"compared_with": compared_with} if compared_with else {"compared_with__isnull": True}
    return VersionMeasurement.objects.filter(model_version=version_key, **beside)
