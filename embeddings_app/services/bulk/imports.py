"""Bulk jobs that clients and operators start through the service: queued here, worked on by the role bulk."""

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from django.db.models import Q, QuerySet

from embedding_project.config import load_config
from embedding_project.contracts.errors import ServiceError
from embeddings_app.models import BulkJob
from embeddings_app.services.bulk.jobs import NewJob, make_job
from embeddings_app.services.bulk.sources import check_source


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportOptions:
    """What was asked for, as the job keeps it until its files are looked at."""

    source: str
    format: str = "auto"
    columns: Mapping[str, str] = field(default_factory=dict)
    """`doc_id`, `text`, `vector`, `metadata` -> name of the column, where it is not the usual one."""
    on_existing: str = "update"
    max_rejects: int = 1_000
    dry_run: bool = False
    """Whether it ends once its files were looked at."""

    @classmethod
    def from_stored(cls, stored: Mapping[str, Any]) -> "ImportOptions":
        return cls(**stored)


def start_import(namespace: str, model_id: str | None, options: ImportOptions, key: str | None, actor: str) -> BulkJob:
    """The import, queued now or with the same key before. Raises ServiceError."""
    check_source(options.source, load_config().bulk_sources)
    new = NewJob(
        namespace=namespace,
        model_id=model_id,
        files=(),
        splitters=(),
        options=asdict(options),
        asked=asdict(options),
        idempotency_key=key,
    )
    return make_job(new, actor)


def find_import(key: int, namespaces: Collection[str]) -> BulkJob:
    """An import into one of these namespaces; empty for any. Raises ServiceError."""
    job = _visible(namespaces).filter(pk=key).first()
    if job is None:
        raise ServiceError("unknown_import", f"there is no import {key}")
    return job


def newest_imports(namespaces: Collection[str], limit: int, before: int | None = None) -> list[BulkJob]:
    found = _visible(namespaces)
    return list((found if before is None else found.filter(pk__lt=before))[:limit])


def _visible(namespaces: Collection[str]) -> QuerySet[BulkJob]:
    found = BulkJob.objects.select_related("namespace", "model_version")
    if not namespaces:
        return found
    return found.filter(Q(namespace__name__in=namespaces) | Q(namespace=None, new_namespace__in=namespaces))
