"""What the tables hold of one model version, counted and removed."""

from collections.abc import Sequence

from embeddings_app.models import LIVE_STATUSES, ModelRegistry, ModelStatus
from embeddings_app.records import documents
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
    """Versions that get no writes and still hold something, oldest first.

    A retired one has no partition and never will; its records are looked for all the same. A probed one without a
    partition may become live at any moment, and is left alone.
    """
    held = versions_with_partition() | {version_key for (version_key,) in rows(_RETIRED_WITH_RECORDS)}
    ended = ModelRegistry.objects.exclude(status__in=LIVE_STATUSES).order_by("pk")
    return [version for version in ended if version.pk in held or version.status == ModelStatus.RETIRING]


# By LATERAL, so that an index leads to one record of each version, however many wait for others.
_RETIRED_WITH_RECORDS = " UNION ".join(
    f"""
    SELECT m.id FROM model_registry m, LATERAL (
        SELECT FROM embedding_record r WHERE r.model_version_id = m.id AND r.state = '{state}' LIMIT 1) AS one
    WHERE m.status = '{ModelStatus.RETIRED}'
    """
    for state in ("pending", "quarantined")
)


def has_records(version_key: int) -> bool:
    """Whether `delete_records` has work left for the version, be it held by another transaction or not."""
    found = " UNION ALL ".join(f"(SELECT 1 {which} LIMIT 1)" for which, _ in _FOUND)
    return row(f"{found} LIMIT 1", {"version": version_key}) is not None


_EMBEDDED = """
FROM embedding_vector v
JOIN embedding_record r ON r.document_id = v.document_id AND r.model_version_id = v.model_version_id
WHERE v.model_version_id = %(version)s
"""
_WAITING = "FROM embedding_record r WHERE model_version_id = %(version)s AND state = 'pending'"
_FAILED = "FROM embedding_record r WHERE model_version_id = %(version)s AND state = 'quarantined'"
_FOUND = ((_EMBEDDED, "v.document_id"), (_WAITING, "next_attempt_at"), (_FAILED, "id"))
"""What leads to the records of a version, and the order that an index of it has."""


def delete_records(version_key: int, limit: int) -> int:
    """Delete up to `limit` records of the version, with their vectors, and the texts that only they still needed; how
    many. In the caller's transaction. Records that another transaction holds are left: 0 says that none is free, not
    that none is there.

    No index leads from a version to its records. Its vectors do, and the partial indexes of records that wait or
    failed. A vector goes with its record, so that the next call begins behind it.
    """
    for which, order in _FOUND:
        found = rows(
            f"SELECT r.id, r.document_id, r.state {which} ORDER BY {order} LIMIT %(limit)s",
            {"version": version_key, "limit": limit},
        )
        waiting = [document_key for _, document_key, state in found if state == "pending"]
        # Documents are locked before records, as by those who write them.
        unkept = documents.lock_unkept_texts(waiting)
        deleted = _delete(version_key, [record_key for record_key, _, _ in found])
        documents.drop_unneeded_texts(unkept)
        if deleted:
            return deleted
    return 0


def _delete(version_key: int, record_keys: Sequence[int]) -> int:
    return execute(
        """
        WITH found AS MATERIALIZED (
            SELECT id, document_id FROM embedding_record WHERE id = ANY(%(records)s) FOR UPDATE SKIP LOCKED
        ), vectors AS (
            DELETE FROM embedding_vector v USING found
            WHERE v.model_version_id = %(version)s AND v.document_id = found.document_id
        )
        DELETE FROM embedding_record r USING found WHERE r.id = found.id
        """,
        {"version": version_key, "records": list(record_keys)},
    )


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
