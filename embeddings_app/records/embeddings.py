"""Embedding records as a queue, and the vectors they lead to.

A pending record is claimed under a lease; who claims it need not live to finish it. What is written back is decided by
the revision of the text, never by the lease.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from embedding_project.contracts.limits import EMBED_BATCH_ITEMS
from embeddings_app.records.changes import ChangedDocument
from embeddings_app.records.sql import execute, row, rows

MAX_ATTEMPTS = 3
"""A text that failed so often on its own account is quarantined."""


@dataclass(frozen=True, slots=True)
class ReadText:
    """The text of a document as it was read, to be embedded. What is written back is compared with it."""

    document_key: int
    text: str
    text_revision: int
    epoch: str
    """History the text belongs to; after a restore the same key and revision may mean another text."""


@dataclass(frozen=True, slots=True)
class Claim(ReadText):
    """A text that its pending record asks for, under a lease."""

    record_key: int
    version_key: int
    batch_limit: int
    lease_until: datetime
    """Tells the claim from later ones of the same record."""


@dataclass(frozen=True, slots=True)
class FinishedVector:
    document_key: int
    text_revision: int
    vector: bytes
    content_hash: bytes


def mark_pending(document_keys: Sequence[int], version_keys: Iterable[int]) -> None:
    """Make the documents work for every version given."""
    execute(
        """
        INSERT INTO embedding_record (document_id, model_version_id, text_revision, content_hash, state,
                                      next_attempt_at, attempts, batch_limit, last_error, created_at)
        SELECT d, v, 0, '', 'pending', now(), 0, %s, '', now()
        FROM unnest(%s::bigint[]) AS d CROSS JOIN unnest(%s::bigint[]) AS v
        ON CONFLICT (document_id, model_version_id) DO UPDATE SET
            state = 'pending', lease_until = NULL, next_attempt_at = now(), attempts = 0,
            batch_limit = excluded.batch_limit, last_error = ''
        """,
        [EMBED_BATCH_ITEMS, list(document_keys), list(version_keys)],
    )


def claim_pending(limit: int, lease_seconds: float) -> list[Claim]:
    """Take one batch of up to `limit` due records for the time of the lease; other indexers skip them.

    They are of one model version, and no more than their own limit allows: one lease covers one batch.
    """
    found = rows(
        """
        WITH due AS (
            SELECT id, model_version_id, batch_limit, next_attempt_at FROM embedding_record
            WHERE state = 'pending' AND next_attempt_at <= now() AND (lease_until IS NULL OR lease_until < now())
            ORDER BY next_attempt_at LIMIT %s FOR UPDATE SKIP LOCKED
        ), oldest AS (
            SELECT model_version_id, batch_limit FROM due ORDER BY next_attempt_at LIMIT 1
        ), batch AS (
            SELECT due.id FROM due JOIN oldest USING (model_version_id, batch_limit)
            ORDER BY next_attempt_at LIMIT (SELECT batch_limit FROM oldest)
        )
        UPDATE embedding_record r SET lease_until = now() + make_interval(secs => %s)
        FROM batch, document d, log_epoch e WHERE r.id = batch.id AND d.id = r.document_id
        RETURNING r.document_id, d.text, d.text_revision, e.epoch::text,
                  r.id, r.model_version_id, r.batch_limit, r.lease_until
        """,
        [limit, lease_seconds],
    )
    return [Claim(*row) for row in found]


def any_due() -> bool:
    (found,) = row(
        """
        SELECT EXISTS (SELECT 1 FROM embedding_record WHERE state = 'pending' AND next_attempt_at <= now()
                       AND (lease_until IS NULL OR lease_until < now()))
        """
    )
    return bool(found)


def release(claims: Sequence[Claim], backoff_seconds: float, reason: str, *, batch_limit: int = 0) -> None:
    """Give claims back after a failure that was not the texts' fault; no attempt is counted. With `batch_limit` they
    are tried in batches of no more from now on."""
    execute(
        f"""
        UPDATE embedding_record r SET
            lease_until = NULL, next_attempt_at = now() + make_interval(secs => %s), last_error = %s,
            batch_limit = coalesce(nullif(%s, 0), batch_limit)
        {_STILL_HELD}
        """,
        [backoff_seconds, reason, batch_limit, *_leases(claims)],
    )


def count_failure(claims: Sequence[Claim], backoff_seconds: float, reason: str) -> None:
    """Count an attempt against texts that failed on their own account; the third quarantines."""
    execute(
        f"""
        UPDATE embedding_record r SET
            lease_until = NULL, next_attempt_at = now() + make_interval(secs => %s), last_error = %s,
            attempts = attempts + 1,
            state = CASE WHEN attempts + 1 >= %s THEN 'quarantined' ELSE 'pending' END
        {_STILL_HELD}
        """,
        [backoff_seconds, reason, MAX_ATTEMPTS, *_leases(claims)],
    )


_STILL_HELD = """
FROM unnest(%s::bigint[], %s::timestamptz[]) AS held(id, lease_until)
WHERE r.id = held.id AND r.lease_until = held.lease_until AND r.state = 'pending'
"""
"""A newer text has no lease, and another one's claim has another: neither is touched by what comes late."""


def _leases(claims: Sequence[Claim]) -> tuple[list[int], list[datetime]]:
    return [claim.record_key for claim in claims], [claim.lease_until for claim in claims]


def lock_embedded(texts: Sequence[ReadText]) -> dict[int, ChangedDocument]:
    """Lock the documents that still live and whose text is still the one that was read; the others are not returned,
    and none is when the history has changed since.

    Without the lock a delete that is about to commit would be overtaken, and its tombstone followed by a vector.
    """
    found = rows(
        """
        SELECT d.id, d.revision, d.shard_hash
        FROM document d JOIN unnest(%s::bigint[], %s::int[]) AS e(id, text_revision) ON e.id = d.id
        WHERE NOT d.deleted AND d.text_revision = e.text_revision
          AND EXISTS (SELECT 1 FROM log_epoch WHERE epoch = %s)
        ORDER BY d.namespace_id, d.doc_id FOR NO KEY UPDATE OF d
        """,
        [
            [text.document_key for text in texts],
            [text.text_revision for text in texts],
            texts[0].epoch,
        ],
    )
    return {row[0]: ChangedDocument(*row) for row in found}


def write_vectors(version_key: int, finished: Sequence[FinishedVector]) -> None:
    """Store the vectors and mark their records ready. The documents are locked."""
    keys = [item.document_key for item in finished]
    revisions = [item.text_revision for item in finished]
    execute(
        """
        INSERT INTO embedding_vector (model_version_id, document_id, text_revision, vector)
        SELECT %s, * FROM unnest(%s::bigint[], %s::int[], %s::bytea[])
        ON CONFLICT (model_version_id, document_id) DO UPDATE SET
            text_revision = excluded.text_revision, vector = excluded.vector
        """,
        [version_key, keys, revisions, [item.vector for item in finished]],
    )
    execute(
        """
        INSERT INTO embedding_record (model_version_id, document_id, text_revision, content_hash, state,
                                      next_attempt_at, attempts, batch_limit, last_error, created_at)
        SELECT %s, n.id, n.text_revision, n.hash, 'ready', now(), 0, %s, '', now()
        FROM unnest(%s::bigint[], %s::int[], %s::bytea[]) AS n(id, text_revision, hash)
        ON CONFLICT (document_id, model_version_id) DO UPDATE SET
            state = 'ready', text_revision = excluded.text_revision, content_hash = excluded.content_hash,
            lease_until = NULL, last_error = ''
        """,
        [version_key, EMBED_BATCH_ITEMS, keys, revisions, [item.content_hash for item in finished]],
    )
