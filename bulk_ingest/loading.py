"""One bucket of a job into Postgres: everything in one transaction, exactly once."""

import math
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from itertools import count
from typing import Any

import numpy as np
import pyarrow as pa
from django.db import IntegrityError
from numpy.typing import NDArray

from bulk_ingest import copying, rejects
from bulk_ingest.bucket_texts import BucketTexts, VectorsMissing
from bulk_ingest.buckets import Bucket, read_bucket
from bulk_ingest.copying import NewRows
from bulk_ingest.embedded_texts import ModelUnusable
from bulk_ingest.tasks import BucketTask, Connected, OnExisting
from bulk_ingest.under_way import UnderWay
from embedding_project.contracts.errors import ServiceError
from embedding_project.contracts.metadata import stored_metadata
from embedding_project.contracts.vectors import from_bytes
from embeddings_app import registry
from embeddings_app.models import BulkFile, BulkJob
from embeddings_app.records import bulk_loading, model_locks
from embeddings_app.records.bulk_loading import ExistingDocument, LoadedRows
from embeddings_app.records.documents import DocumentContent
from embeddings_app.records.table_copy import copy_in
from embeddings_app.records.transactions import RetryTransaction, in_transaction
from embeddings_app.records.vector_partitions import vector_partition
from embeddings_app.records.words import write_words
from embeddings_app.services.documents.upserting import store

_WRITTEN_AT_ONCE = 1_000
_TRIES_BESIDE_WRITERS = 2
"""A client that inserts an id of the bucket meanwhile makes it start over. Where clients do so all the time, the last
tries let them wait for a second or two."""


class BucketRefused(Exception):
    """The job cannot go on with this bucket; the message says why."""


def load_bucket(task: BucketTask) -> bool:
    """Load the rows of the bucket from the spread files; False when the job takes no more. Raises BucketRefused,
    OSError, django.db.Error."""
    try:
        bucket = read_bucket(task.folder, task.number, task.files, 0 if task.model else task.dimension)
    except pa.ArrowException as error:
        # It cannot be sent to another process.
        raise BucketRefused(f"bucket {task.number}: {error}") from None
    return load_rows(task, bucket)


def load_rows(
    task: BucketTask, bucket: Bucket, connected: Connected = nullcontext, asked_again_seconds: float = 1.0
) -> bool:
    """The same with rows that are there. While texts are embedded, it is asked now and then whether the job still wants
    them."""
    with UnderWay(task.folder, f"bucket-{task.number}", bucket.rows.num_rows) as under_way:
        return _load_rows(task, bucket, under_way, connected, asked_again_seconds)


def _load_rows(
    task: BucketTask, bucket: Bucket, under_way: UnderWay, connected: Connected, asked_again_seconds: float
) -> bool:
    began = time.monotonic()
    texts = BucketTexts(bucket.rows, task.model) if task.model else None
    attempt = _Attempt(task, bucket, texts, under_way, began)
    try:
        # No lock is held while texts are embedded. Which vectors are needed may change meanwhile, so it is asked again.
        while True:
            try:
                with connected():
                    return _load_alone_if_need_be(attempt)
            except VectorsMissing as missing:
                wanted = _Wanted(task.job_key, connected, asked_again_seconds)
                if texts is None or not texts.embed(missing.places, wanted, under_way.add):
                    return False
    except (ServiceError, ModelUnusable, pa.ArrowException) as error:
        raise BucketRefused(f"bucket {task.number}: {error}") from None


@dataclass(frozen=True, slots=True)
class _Attempt:
    """What the transaction of a bucket is made from."""

    task: BucketTask
    bucket: Bucket
    texts: BucketTexts | None
    under_way: UnderWay
    began: float


def _load_alone_if_need_be(attempt: _Attempt) -> bool:
    tries = count()
    return in_transaction(lambda: _load(attempt, alone=next(tries) >= _TRIES_BESIDE_WRITERS))


class _Wanted:
    """Whether the job still wants its buckets, asked now and then."""

    def __init__(self, job_key: int, connected: Connected, again_seconds: float) -> None:
        self._job_key = job_key
        self._connected = connected
        self._again_seconds = again_seconds
        self._asked_at = float("-inf")
        self._wanted = True

    def __call__(self) -> bool:
        if time.monotonic() - self._asked_at > self._again_seconds:
            with self._connected():
                self._wanted = bulk_loading.still_wanted(self._job_key)
            self._asked_at = time.monotonic()
        return self._wanted


def _load(attempt: _Attempt, *, alone: bool) -> bool:
    """1. the job still loads, and its version is the only one  2. the row of the bucket  3. documents there are, locked
    in order  4. new ones by COPY  5. changed ones as an upsert writes them, with the log, whose counters come last.

    `alone` keeps all writers of the model out meanwhile. Raises VectorsMissing.
    """
    task, bucket, texts = attempt.task, attempt.bucket, attempt.texts
    job = bulk_loading.begin(task.job_key)
    if job is None:
        return False
    lock = model_locks.lock_exclusive if alone else model_locks.lock_shared
    lock(job.space.model_id)
    # It was read before the lock, and may have changed until then.
    job.space.refresh_from_db(fields=["text_search"])
    live = [spec.version_key for spec in registry.live_specs(job.space.model_id)]
    if live != [job.model_version_id]:
        raise BucketRefused("the model has another live version than when the job was planned")
    if not bulk_loading.begin_bucket(task.job_key, task.number):
        return True
    doc_ids = [doc_id.decode() for doc_id in bucket.rows["doc_id"].to_pylist()]
    found = bulk_loading.lock_existing(job, doc_ids) if doc_ids else []
    existing = {document.doc_id: document for document in found}
    fate = np.array([_fate(existing.get(doc_id), task.on_existing) for doc_id in doc_ids], dtype="S1")
    rows = bucket.rows
    if texts is not None:
        fate = np.where(texts.failed(_with_new_text(bucket.rows, doc_ids, existing, fate)), _REJECT, fate)
        rejects.write_rejects(task.folder, rejects.of_bucket(task.number), texts.rejects(fate == _REJECT, _paths(job)))
        rows = texts.rows()
    _copy(job, attempt, rows, fate == _INSERT)
    updated, unchanged = _update(job, attempt, rows.filter(pa.array(fate == _UPDATE)))
    counts = LoadedRows(
        inserted=int((fate == _INSERT).sum()),
        updated=updated,
        unchanged=unchanged + int((fate == _KEEP).sum()),
        superseded=int((fate == _SUPERSEDED).sum()),
        duplicates=bucket.duplicates,
        rejected=int((fate == _REJECT).sum()),
    )
    bulk_loading.end_bucket(task.job_key, task.number, counts, time.monotonic() - attempt.began)
    return True


_INSERT, _UPDATE, _KEEP, _SUPERSEDED, _REJECT = b"i", b"u", b"k", b"s", b"r"


def _fate(existing: ExistingDocument | None, on_existing: OnExisting) -> bytes:
    if existing is None:
        return _INSERT
    if existing.newer:
        return _SUPERSEDED
    if existing.deleted or on_existing == "update":
        return _UPDATE
    if on_existing == "fail":
        raise BucketRefused(f"the document {existing.doc_id!r} exists, and the job was told to fail then")
    return _KEEP


def _with_new_text(
    rows: pa.Table, doc_ids: Sequence[str], existing: Mapping[str, ExistingDocument], fate: NDArray[np.bytes_]
) -> NDArray[np.bool_]:
    """Which rows are written with a text that their document does not have yet."""

    def is_new(doc_id: str, content_hash: bytes) -> bool:
        document = existing.get(doc_id)
        return document is None or document.deleted or document.content_hash != content_hash

    hashes = rows["content_hash"].to_pylist()
    new = np.array([is_new(*pair) for pair in zip(doc_ids, hashes, strict=True)], dtype=bool)
    found: NDArray[np.bool_] = ((fate == _INSERT) | (fate == _UPDATE)) & new
    return found


def _paths(job: BulkJob) -> Mapping[int, str]:
    return dict(BulkFile.objects.filter(job=job).values_list("number", "path"))


def _copy(job: BulkJob, attempt: _Attempt, rows: pa.Table, inserted: Any) -> None:
    if not inserted.any():
        return
    new = NewRows(
        keys=attempt.task.first_key + np.flatnonzero(inserted),
        namespace_key=job.space.pk,
        version_key=job.model_version_id,
        microseconds=bulk_loading.transaction_microseconds(),
        rows=(rows if inserted.all() else rows.filter(pa.array(inserted))).combine_chunks(),
        store_text=job.space.store_text,
    )
    try:
        copy_in("document", copying.DOCUMENT_COLUMNS, _counted(attempt, copying.document_blocks(new), len(new) / 2))
    except IntegrityError as error:
        raise RetryTransaction("a document was inserted by another writer") from error
    copy_in("embedding_record", copying.RECORD_COLUMNS, copying.record_blocks(new))
    vectors = _counted(attempt, copying.vector_blocks(new), len(new) / 2)
    copy_in(vector_partition(job.model_version_id), copying.VECTOR_COLUMNS, vectors)
    write_words(job.space.pk, new.keys.tolist())


def _counted(attempt: _Attempt, blocks: Iterator[bytes], rows: float) -> Iterator[bytes]:
    """The blocks, which stand for so many rows together unless the texts of these were counted already."""
    each = 0.0 if attempt.texts else rows / (math.ceil(attempt.bucket.rows.num_rows / copying.ROWS_AT_ONCE) + 2)
    for block in blocks:
        yield block
        attempt.under_way.add(each)


def _update(job: BulkJob, attempt: _Attempt, rows: pa.Table) -> tuple[int, int]:
    """Write documents that exist as an upsert does; how many were changed, and how many were as they are."""
    changed = 0
    for start in range(0, rows.num_rows, _WRITTEN_AT_ONCE):
        contents = _contents(rows.slice(start, _WRITTEN_AT_ONCE), job.model_version.dimension)
        stored = store(job.space, [job.model_version_id], contents)
        changed += sum(item.changed for item in stored)
        attempt.under_way.add(0 if attempt.texts else len(contents))
    return changed, rows.num_rows - changed


def _contents(rows: pa.Table, dimension: int) -> Sequence[DocumentContent]:
    return [
        DocumentContent(
            doc_id=row["doc_id"].decode(),
            text=row["text"].decode(),
            metadata=stored_metadata(row["metadata"]),
            content_hash=row["content_hash"],
            vector=from_bytes(row["vector"], dimension)[0],
            shard_hash=row["shard_hash"],
        )
        for row in rows.to_pylist()
    ]
