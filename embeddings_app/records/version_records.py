"""What the tables hold of one model version, counted and removed."""

from embeddings_app.models import LIVE_STATUSES, ModelRegistry, ModelStatus
from embeddings_app.records.log_trimming import LogFloor
from embeddings_app.records.sql import execute, row, rows
from embeddings_app.records.vector_partitions import versions_with_partition

COUNT_CAP = 100_000
"""Documents that one count looks at."""


def has_documents(model_id: str) -> bool:
    """Whether any document lives in a namespace of the model."""
    (found,) = row(
        """
        SELECT EXISTS (SELECT 1 FROM document d JOIN namespace n ON n.id = d.namespace_id
                       WHERE n.model_id = %s AND NOT d.deleted)
        """,
        [model_id],
    )
    return bool(found)


def count_documents(model_id: str) -> int:
    """Documents of the model, at most COUNT_CAP."""
    (count,) = row(
        """
        SELECT count(*) FROM (
            SELECT 1 FROM document d JOIN namespace n ON n.id = d.namespace_id
            WHERE n.model_id = %s AND NOT d.deleted LIMIT %s) AS first
        """,
        [model_id, COUNT_CAP],
    )
    return int(count)


def estimated_documents() -> int:
    """Rows of the table of documents as Postgres estimates them, tombstones and other models included."""
    (count,) = row("SELECT greatest(reltuples, 0)::bigint FROM pg_class WHERE oid = 'document'::regclass")
    return int(count)


def count_lost(from_version_key: int, to_version_key: int) -> int:
    """Documents that the first version finds and the second has no vector of, because it still waits for it.

    Only pending records of the second are looked at, so the count is short; a version in shadow has a record of every
    document.
    """
    (count,) = row(
        """
        SELECT count(*) FROM embedding_record waiting
        JOIN embedding_vector found ON found.document_id = waiting.document_id AND found.model_version_id = %s
        WHERE waiting.model_version_id = %s AND waiting.state = 'pending' AND waiting.text_revision = 0
        """,
        [from_version_key, to_version_key],
    )
    return int(count)


def ended_versions() -> list[ModelRegistry]:
    """Versions that get no writes and still hold something, oldest first."""
    held = versions_with_partition()
    ended = ModelRegistry.objects.exclude(status__in=LIVE_STATUSES).order_by("pk")
    return [version for version in ended if version.pk in held or version.status == ModelStatus.RETIRING]


_EMBEDDED = """
SELECT r.id, r.document_id FROM embedding_vector v
JOIN embedding_record r ON r.document_id = v.document_id AND r.model_version_id = v.model_version_id
WHERE v.model_version_id = %(version)s ORDER BY v.document_id LIMIT %(limit)s FOR UPDATE OF r SKIP LOCKED
"""
_WAITING = """
SELECT id, document_id FROM embedding_record WHERE model_version_id = %(version)s AND state = 'pending'
ORDER BY next_attempt_at LIMIT %(limit)s FOR UPDATE SKIP LOCKED
"""
_FAILED = """
SELECT id, document_id FROM embedding_record WHERE model_version_id = %(version)s AND state = 'quarantined'
ORDER BY id LIMIT %(limit)s FOR UPDATE SKIP LOCKED
"""


def delete_records(version_key: int, limit: int) -> int:
    """Delete up to `limit` records of the version, with their vectors; how many. Records that another transaction
    holds are left to the next call.

    No index leads from a version to its records. Its vectors do, and the partial indexes of records that wait or
    failed. A vector goes with its record, so that the next call begins behind it.
    """
    for found in (_EMBEDDED, _WAITING, _FAILED):
        deleted = execute(
            f"""
            WITH found AS MATERIALIZED ({found}), vectors AS (
                DELETE FROM embedding_vector v USING found
                WHERE v.model_version_id = %(version)s AND v.document_id = found.document_id
            )
            DELETE FROM embedding_record r USING found WHERE r.id = found.id
            """,
            {"version": version_key, "limit": limit},
        )
        if deleted:
            return deleted
    return 0


def logs_of(version_key: int) -> list[LogFloor]:
    """The logs of the version, of which nobody needs anything."""
    found = rows(
        "SELECT layout_id, model_version_id, shard, head FROM shard_counter WHERE model_version_id = %s", [version_key]
    )
    return [LogFloor(*log) for log in found]


def break_logs(version_key: int) -> None:
    """Leave a gap in the emptied logs: a snapshot of the version's earlier life must not be continued."""
    execute("UPDATE shard_counter SET head = head + 1 WHERE model_version_id = %s AND head > 0", [version_key])
    execute("DELETE FROM shard_replica WHERE model_version_id = %s", [version_key])
