"""From what somebody asked for to a job that can be worked on: for the command, and for jobs that the API queued."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any
from urllib.parse import urlsplit

from bulk_ingest.embedded_texts import own_embedder
from bulk_ingest.plan import Expected, Plan, expect, make_plan, sample_texts
from bulk_ingest.sources.raw import Columns, SourceError
from embedding_project.config import LOOPBACK_HOSTS, load_config
from embedding_project.contracts.errors import InvalidRequest
from embedding_project.contracts.model_spec import ModelSpec, ModelType
from embedding_project.threads.usable_cores import usable_cores
from embeddings_app import registry
from embeddings_app.models import BulkJob
from embeddings_app.records.topology import read_topology
from embeddings_app.services.bulk.imports import ImportOptions
from embeddings_app.services.bulk.jobs import FoundFiles, PlannedFile, plan_queued
from embeddings_app.services.bulk.sources import inside
from embeddings_app.services.reembedding.estimating import check_fits, node_bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """Columns as somebody names them; None for the usual name."""

    doc_id: str | None = None
    text: str | None = None
    vector: str | None = None
    metadata: str | None = None


def columns_for(spec: ModelSpec, names: Names) -> Columns:
    """What is read for a model: vectors, or texts to embed. Raises InvalidRequest."""
    external = spec.type is ModelType.EXTERNAL
    if not external and names.vector is not None:
        raise InvalidRequest("text_required", f"model {spec.model_id!r} embeds texts, it takes no vectors")
    usual = Columns()
    return Columns(
        doc_id=names.doc_id or usual.doc_id,
        text=names.text or usual.text,
        vector=(names.vector or usual.vector) if external else None,
        metadata=names.metadata or usual.metadata,
    )


def planned_files(plan: Plan) -> Sequence[PlannedFile]:
    return [
        PlannedFile(path=file.path, size=file.size, modified_ns=file.modified_ns, etag=file.etag) for file in plan.files
    ]


def job_options(plan: Plan, columns: Columns, *, on_existing: str, max_rejects: int) -> Mapping[str, Any]:
    return {
        "on_existing": on_existing,
        "max_rejects": max_rejects,
        "rows": plan.rows,
        "columns": asdict(columns),
        "parts": [{"format": file.format, "groups": file.groups} for file in plan.files],
    }


def check_room(plan: Plan, expected: Expected, spec: ModelSpec) -> None:
    """Raises ServiceError when this machine cannot hold the files of the job, nor, where it has the database too, what
    Postgres and nodes will take."""
    disk, memory = expected.work_bytes, 0
    if urlsplit(load_config().database_url).hostname in LOOPBACK_HOSTS:
        disk += expected.disk_bytes
        memory = node_bytes(plan.rows, spec.dimension, spec.storage) * read_topology().replicas
    check_fits(plan.rows, disk, memory)


def texts_per_second(plan: Plan, columns: Columns, spec: ModelSpec, workers: int) -> float:
    """Of so many processes on this machine, measured in this one. Raises SourceError, ModelUnusable."""
    texts = sample_texts(plan, columns)
    if not texts:
        raise SourceError(f"no text can be embedded in the first rows of the column {columns.text}")
    return own_embedder(spec).rate(texts) * min(workers, usable_cores())


def plan_import(job: BulkJob, workers: int) -> None:
    """Look at the files of a job that the API queued. Raises ServiceError, SourceError, ModelUnusable."""
    asked = ImportOptions.from_stored(job.options)
    spec = registry.spec_of(job.model_version)
    columns = columns_for(spec, Names(**asked.columns))
    prefixes = load_config().bulk_sources
    plan = make_plan([asked.source], asked.format, columns, may_read=lambda path: inside(path, prefixes))
    embeds = columns.vector is None
    rate = texts_per_second(plan, columns, spec, workers) if embeds and asked.dry_run else None
    expected = expect(plan.rows, spec.dimension, workers, rate)
    check_room(plan, expected, spec)
    told = {
        "files": len({file.path for file in plan.files}),
        "rows": plan.rows,
        "buckets": plan.buckets,
        "database_bytes": expected.disk_bytes,
        "work_bytes": expected.work_bytes,
        "seconds": None if embeds and rate is None else round(expected.seconds, 1),
    }
    options = job_options(plan, columns, on_existing=asked.on_existing, max_rejects=asked.max_rejects)
    found = FoundFiles(files=planned_files(plan), splitters=plan.splitters, options=options, plan=told)
    plan_queued(job, found, ends=asked.dry_run)
