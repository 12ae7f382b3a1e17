"""Loads of bulk jobs for tests: an external model of 8 numbers, files of it, and the steps of a job one by one."""

import json
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from django.db import connection

from bulk_ingest.buckets import SpreadFile
from bulk_ingest.loading import load_bucket
from bulk_ingest.plan import make_plan
from bulk_ingest.sources.raw import Columns
from bulk_ingest.spreading import spread_file
from bulk_ingest.tasks import BucketTask, OnExisting, SpreadTask
from embedding_project.contracts.model_spec import ModelType
from embeddings_app import registry
from embeddings_app.api.routes.upsert import upsert_request
from embeddings_app.api.strict_json import strict_loads
from embeddings_app.models import BulkFile, BulkJob, BulkState, ModelRegistry, ModelStatus
from embeddings_app.records import bulk_blocks, bulk_jobs
from embeddings_app.records.transactions import in_transaction
from embeddings_app.services.bulk.jobs import NewJob, PlannedFile, make_job
from embeddings_app.services.documents.outcomes import RefusedDocument
from embeddings_app.services.documents.upserting import write
from embeddings_app.services.model_versions.indexes import prepare_indexes
from tests.integration.registry_steps import retire, take_back

MODEL, DIMENSION, SPACE = "bulk-8", 8, "bulk"
COLUMNS = Columns()
_COUNTED = ("inserted", "updated", "unchanged", "superseded", "duplicates")


@contextmanager
def external_model() -> Iterator[ModelRegistry]:
    """Active for the length of the block: nodes of other tests would follow its logs too."""
    version, new = ModelRegistry.objects.get_or_create(
        model_id=MODEL, defaults={"type": "external", "dimension": DIMENSION, "status": ModelStatus.ACTIVE}
    )
    if new:
        prepare_indexes(version)
    else:
        with connection.cursor() as cursor:
            take_back(cursor, version.pk)
        # What a retired version held may have been cleared.
        prepare_indexes(version)
    registry.forget_cached()
    try:
        yield ModelRegistry.objects.get(pk=version.pk)
    finally:
        with connection.cursor() as cursor:
            retire(cursor, version.pk)
        registry.forget_cached()


def vector_of(text: str) -> list[float]:
    seed = zlib.crc32(text.encode())
    return [float(number) for number in np.random.default_rng(seed).standard_normal(DIMENSION).astype(np.float32)]


def source_row(doc_id: str, text: str | None = None, metadata: Any = None) -> dict[str, Any]:
    """A row whose vector follows from its text, or its id."""
    row = {"id": doc_id, "vector": vector_of(text or doc_id), "text": text, "metadata": metadata}
    return {name: value for name, value in row.items() if value is not None}


def write_lines(path: Path, rows: Sequence[Mapping[str, Any]]) -> Path:
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows), encoding="utf-8")
    return path


def upsert_rows(
    rows: Sequence[Mapping[str, Any]], namespace: str = SPACE, model_id: str | None = MODEL
) -> list[RefusedDocument]:
    """The same rows as a client sends them; gives those that were refused."""
    model = {} if model_id is None else {"model_id": model_id}
    body = json.dumps({"documents": list(rows), "namespace": namespace, **model})
    _, outcomes = write(upsert_request(strict_loads(body.encode())))
    return [item for item in outcomes if isinstance(item, RefusedDocument)]


@dataclass(frozen=True, slots=True)
class Loaded:
    job: BulkJob
    folder: Path
    on_existing: OnExisting

    def tasks(self) -> Iterator[BucketTask]:
        """Of all buckets."""
        files = [
            SpreadFile.from_wire(wire)
            for file in BulkFile.objects.filter(job=self.job).order_by("number")
            for wire in file.spread or ()
        ]
        first_key = bulk_blocks.reserve(self.job.pk, self.job.model_version_id, 0).first_key
        spec = registry.spec_of(self.job.model_version)
        for number in range(len(self.job.splitters) + 1):
            yield BucketTask(
                job_key=self.job.pk,
                number=number,
                folder=self.folder,
                files=tuple(files),
                dimension=spec.dimension,
                model=None if spec.type is ModelType.EXTERNAL else spec,
                first_key=first_key,
                on_existing=self.on_existing,
            )
            first_key += sum(file.rows.get(number, 0) for file in files)

    def load(self) -> dict[str, int]:
        """Load all buckets; gives the counts that are not zero."""
        for task in self.tasks():
            assert load_bucket(task)
        counts = bulk_jobs.count_rows(self.job.pk)
        assert counts.add_up
        return {name: getattr(counts, name) for name in _COUNTED if getattr(counts, name)}


def new_job(
    path: Path,
    *,
    bucket_rows: int = 10,
    namespace: str = SPACE,
    model_id: str | None = MODEL,
    columns: Columns = COLUMNS,
    key: str | None = None,
    **options: Any,
) -> BulkJob:
    plan = make_plan([str(path)], "auto", columns, bucket_rows)
    files = [PlannedFile(path=file.path, size=file.size, modified_ns=file.modified_ns) for file in plan.files]
    usual = {
        "on_existing": "update",
        "max_rejects": 1_000,
        "columns": asdict(columns),
        "parts": [{"format": file.format, "groups": file.groups} for file in plan.files],
    }
    return make_job(
        NewJob(
            namespace=namespace,
            model_id=model_id,
            files=files,
            splitters=plan.splitters,
            options=usual | options,
            idempotency_key=key,
        ),
        "tests",
    )


def spread_job(
    path: Path, folder: Path, *, on_existing: OnExisting = "update", columns: Columns = COLUMNS, **options: Any
) -> Loaded:
    """A job whose file is spread, and whose buckets can be loaded."""
    job = new_job(path, on_existing=on_existing, columns=columns, **options)
    plan = make_plan([str(path)], "auto", columns)
    for number, file in enumerate(plan.files):
        spread_file(
            SpreadTask(
                job_key=job.pk,
                number=number,
                file=file,
                folder=folder,
                namespace=job.namespace_name,
                dimension=0 if columns.vector is None else DIMENSION,
                columns=columns,
                splitters=tuple(job.splitters),
                max_rejects=job.options["max_rejects"],
            )
        )
    counts = bulk_jobs.count_rows(job.pk)
    in_transaction(lambda: bulk_blocks.reserve(job.pk, job.model_version_id, max(counts.read, 1)))
    BulkJob.objects.filter(pk=job.pk).update(state=BulkState.LOADING)
    return Loaded(job, folder, on_existing)
