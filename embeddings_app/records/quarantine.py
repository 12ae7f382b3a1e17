"""Quarantined records: found by version, and made work again."""

from collections.abc import Sequence
from dataclasses import dataclass

from embedding_project.contracts.limits import EMBED_BATCH_ITEMS
from embeddings_app.records.sql import rows


@dataclass(frozen=True, slots=True)
class Requeued:
    document_key: int
    version_key: int


def quarantined_keys(version_key: int, after: int, limit: int) -> list[int]:
    """Up to `limit` keys of quarantined records of a version, in order, beyond the key `after`."""
    found = rows(
        """
        SELECT id FROM embedding_record
        WHERE model_version_id = %s AND state = 'quarantined' AND id > %s ORDER BY id LIMIT %s
        """,
        [version_key, after, limit],
    )
    return [row[0] for row in found]


@dataclass(frozen=True, slots=True)
class FailedText:
    record_key: int
    namespace: str
    doc_id: str
    reason: str


def failed_texts(version_key: int, after: int, limit: int) -> list[FailedText]:
    """Up to `limit` quarantined records of a version with their documents, in order, beyond the key `after`."""
    found = rows(
        """
        SELECT r.id, n.name, d.doc_id, r.last_error FROM embedding_record r
        JOIN document d ON d.id = r.document_id JOIN namespace n ON n.id = d.namespace_id
        WHERE r.model_version_id = %s AND r.state = 'quarantined' AND r.id > %s ORDER BY r.id LIMIT %s
        """,
        [version_key, after, limit],
    )
    return [FailedText(*one) for one in found]


def requeue(record_keys: Sequence[int]) -> list[Requeued]:
    """Make the quarantined ones among the records pending and due, as if they had never failed.

    A record whose text is not kept stays quarantined: there is nothing to embed until the client sends it again.
    """
    found = rows(
        """
        WITH picked AS (
            SELECT r.id, d.namespace_id FROM embedding_record r JOIN document d ON d.id = r.document_id
            WHERE r.id = ANY(%s) AND r.state = 'quarantined' AND NOT d.deleted AND d.text <> ''
            ORDER BY r.id FOR UPDATE OF r
        )
        UPDATE embedding_record r SET
            state = 'pending', lease_until = NULL, next_attempt_at = now(), attempts = 0, batch_limit = %s,
            last_error = '', namespace_id = picked.namespace_id
        FROM picked WHERE r.id = picked.id
        RETURNING r.document_id, r.model_version_id
        """,
        [list(record_keys), EMBED_BATCH_ITEMS],
    )
    return [Requeued(*row) for row in found]
