"""What a bucket of a bulk job reads and writes, inside of its transaction."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from django.db import OperationalError, transaction
from psycopg import errors

from embeddings_app.models import BulkJob, BulkState, BulkWish
from embeddings_app.records import bulk_blocks, table_copy
from embeddings_app.records.changes import ChangedDocument
from embeddings_app.records.sql import execute, row, rows
from embeddings_app.records.transactions import in_transaction
from embeddings_app.records.vector_partitions import vector_partition
from embeddings_app.records.words import delete_words

_LIMITS = (
    "SET LOCAL statement_timeout = '10min'; SET LOCAL lock_timeout = '60s';"
    # Between two statements a niced process prepares thousands of rows.
    " SET LOCAL idle_in_transaction_session_timeout = '5min'"
)
_ABORT_SECONDS = 60.0
"""A statement of a bucket may take longer, above all one whose process has died: Postgres notices it at its end."""
_END_BUCKETS = """
SELECT pg_terminate_backend(pid) FROM pg_locks JOIN pg_database d ON d.oid = database
WHERE d.datname = current_database() AND locktype = 'advisory' AND objsubid = 1 AND granted AND mode = 'ShareLock'
  AND (classid::bigint << 32) | objid::bigint = hashtextextended(%s, 0)
"""
_IDS_AT_ONCE = 5_000
_SAMPLE_SECONDS = 60
"""Somebody who pauses the job waits for one table at most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedRows:
    """What became of the rows of a bucket."""

    inserted: int = 0
    updated: int = 0
    unchanged: int = 0
    superseded: int = 0
    duplicates: int = 0
    rejected: int = 0


@dataclass(frozen=True, slots=True)
class ExistingDocument:
    doc_id: str
    content_hash: bytes
    deleted: bool
    """Or its time is over."""
    newer: bool
    """Whether a client wrote or deleted it after the job was made."""


def still_wanted(job_key: int) -> bool:
    """Whether nobody has asked the job to pause or to end."""
    return BulkJob.objects.filter(pk=job_key, wanted=BulkWish.RUN, state=BulkState.LOADING).exists()


def begin(job_key: int) -> BulkJob | None:
    """Hold off the end of the job until the transaction ends; None when it takes no more buckets."""
    execute(_LIMITS)
    execute("SELECT pg_advisory_xact_lock_shared(hashtextextended(%s, 0))", [_bucket_lock(job_key)])
    # A statement of its own, so that it sees what was done by whoever held the lock.
    return (
        BulkJob.objects.select_related("namespace", "model_version")
        .filter(pk=job_key, state=BulkState.LOADING, epoch__in=_epochs())
        .first()
    )


def _epochs() -> list[str]:
    return [epoch for (epoch,) in rows("SELECT epoch::text FROM log_epoch")]


def wait_for_buckets(job_key: int, patience_seconds: float = _ABORT_SECONDS) -> None:
    """Wait for every transaction that loads a bucket of a job that is aborted, then end those that are left: nobody
    wants their rows. Later ones see the state that the caller has committed before."""
    try:
        with transaction.atomic():
            _await_buckets(job_key, patience_seconds)
    except OperationalError as error:
        if not isinstance(error.__cause__, errors.LockNotAvailable):
            raise
        execute(_END_BUCKETS, [_bucket_lock(job_key)])
        in_transaction(lambda: _await_buckets(job_key, _ABORT_SECONDS))


def _await_buckets(job_key: int, seconds: float) -> None:
    milliseconds = max(1, round(1000 * seconds))
    execute(f"SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = '{milliseconds}ms'")
    execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [_bucket_lock(job_key)])


def _bucket_lock(job_key: int) -> str:
    return f"bulk:{job_key}"


def refresh_statistics(
    version_key: int, go_on: Callable[[], bool], table_seconds: int = _SAMPLE_SECONDS, *, with_words: bool = False
) -> None:
    """Let the planner know the tables as they are after a load, as long as the job goes on: that of words too, by which
    searches estimate how frequent a word is. Postgres does so by itself some minutes later: a table that somebody holds
    for longer, or whose sample takes longer, is left to it."""
    tables = ["document", "embedding_record", vector_partition(version_key)]
    for table in (*tables, "document_words") if with_words else tables:
        if not go_on():
            return
        try:
            with transaction.atomic():
                # The sample of a million documents may take longer than any request may.
                # It waits as long for somebody who holds the table.
                execute(f"SET LOCAL statement_timeout = '{table_seconds:d}s'; SET LOCAL lock_timeout = 0")
                table_copy.analyze([table])
        except OperationalError as error:
            if not isinstance(error.__cause__, errors.QueryCanceled):
                raise


def begin_bucket(job_key: int, number: int) -> bool:
    """Insert the row of a bucket before its documents; False when it is loaded already. Waits while another
    transaction loads it."""
    return bool(
        execute(
            """
            INSERT INTO bulk_bucket
                (job_id, number, inserted, updated, unchanged, superseded, duplicates, rejected, seconds)
            VALUES (%s, %s, 0, 0, 0, 0, 0, 0, 0) ON CONFLICT DO NOTHING
            """,
            [job_key, number],
        )
    )


def end_bucket(job_key: int, number: int, counts: LoadedRows, seconds: float) -> None:
    execute(
        """
        UPDATE bulk_bucket SET inserted = %s, updated = %s, unchanged = %s, superseded = %s, duplicates = %s,
                               rejected = %s, seconds = %s, loaded_at = clock_timestamp()
        WHERE job_id = %s AND number = %s
        """,
        [
            *(counts.inserted, counts.updated, counts.unchanged, counts.superseded, counts.duplicates),
            *(counts.rejected, seconds, job_key, number),
        ],
    )


def lock_existing(job: BulkJob, doc_ids: Sequence[str]) -> list[ExistingDocument]:
    """Those of the documents that there are, tombstones too; `doc_ids` are in order. Locked as writers lock them."""
    (any_near,) = row(
        "SELECT EXISTS (SELECT 1 FROM document WHERE namespace_id = %s AND doc_id >= %s AND doc_id <= %s)",
        [job.namespace_id, doc_ids[0], doc_ids[-1]],
    )
    found: list[ExistingDocument] = []
    for start in range(0, len(doc_ids) if any_near else 0, _IDS_AT_ONCE):
        part = rows(
            """
            SELECT doc_id, content_hash, deleted OR coalesce(expires_at <= now(), false), updated_at > %s FROM document
            WHERE namespace_id = %s AND doc_id = ANY(%s) ORDER BY doc_id FOR NO KEY UPDATE
            """,
            [job.created_at, job.namespace_id, list(doc_ids[start : start + _IDS_AT_ONCE])],
        )
        found += [ExistingDocument(doc_id, bytes(hashed), *rest) for doc_id, hashed, *rest in part]
    return found


def transaction_microseconds() -> int:
    """The time of the transaction, as binary COPY takes it."""
    (microseconds,) = row("SELECT (extract(epoch FROM now() - timestamptz '2000-01-01 00:00:00+00') * 1000000)::bigint")
    return int(microseconds)


@dataclass(frozen=True, slots=True)
class UnloggedDocument:
    key: int
    shard_hash: int


def unlogged_documents(block: bulk_blocks.Block, limit: int) -> tuple[list[UnloggedDocument], int]:
    """The next documents of a closed block that no client has changed, and the key up to which these are all."""
    found = rows(
        """
        SELECT id, shard_hash, revision FROM document WHERE id > %s AND id <= %s ORDER BY id LIMIT %s
        """,
        [block.opened_to, block.last_key, limit],
    )
    reached = found[-1][0] if len(found) == limit else block.last_key
    return [UnloggedDocument(key, hashed) for key, hashed, revision in found if revision == 1], reached


def take_touched(job_key: int, limit: int) -> list[ChangedDocument]:
    """Up to `limit` of the documents of the block that clients have changed while it was closed, tombstones too. They
    are taken from the notes: the caller's transaction names them in the log."""
    found = rows(
        """
        WITH taken AS (
            DELETE FROM bulk_touched WHERE job_id = %(job)s AND document_id IN (
                SELECT document_id FROM bulk_touched WHERE job_id = %(job)s ORDER BY document_id LIMIT %(limit)s)
            RETURNING document_id
        )
        SELECT d.id, d.revision, d.shard_hash FROM taken JOIN document d ON d.id = taken.document_id ORDER BY d.id
        """,
        {"job": job_key, "limit": limit},
    )
    return [ChangedDocument(*one) for one in found]


def delete_unchanged(version_key: int, first_key: int, last_key: int, limit: int) -> int:
    """Delete up to `limit` documents of a block that are as the job wrote them; how many. In the caller's
    transaction."""
    found = rows(
        """
        SELECT id FROM document WHERE id BETWEEN %s AND %s AND revision = 1
        ORDER BY id LIMIT %s FOR UPDATE
        """,
        [first_key, last_key, limit],
    )
    keys = [key for (key,) in found]
    execute("DELETE FROM embedding_record WHERE document_id = ANY(%s)", [keys])
    execute("DELETE FROM embedding_vector WHERE model_version_id = %s AND document_id = ANY(%s)", [version_key, keys])
    delete_words(keys)
    execute("DELETE FROM document WHERE id = ANY(%s)", [keys])
    return len(keys)
