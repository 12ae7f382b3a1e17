"""Embedding records: made work, and answered with vectors.

What is written back is decided by the revision of the text, never by the lease of a claim.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from embedding_project.contracts.limits import EMBED_BATCH_ITEMS
from embeddings_app.records.changes import ChangedDocument
from embeddings_app.records.sql import execute, rows


@dataclass(frozen=True, slots=True)
class ReadText:
    """The text of a document as it was read, to be embedded. What is written back is compared with it."""

    document_key: int
    text: str
    text_revision: int
    epoch: str
    """History the text belongs to; after a restore the same key and revision may mean another text."""


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
        INSERT INTO embedding_record (document_id, model_version_id, namespace_id, text_revision, content_hash, state,
                                      next_attempt_at, attempts, batch_limit, last_error, created_at)
        SELECT d.id, v, d.namespace_id, 0, '', 'pending', now(), 0, %s, '', now()
        FROM document d CROSS JOIN unnest(%s::bigint[]) AS v WHERE d.id = ANY(%s)
        ON CONFLICT (document_id, model_version_id) DO UPDATE SET
            namespace_id = excluded.namespace_id,
            state = 'pending', lease_until = NULL, next_attempt_at = now(), attempts = 0,
            batch_limit = excluded.batch_limit, last_error = ''
        """,
        [EMBED_BATCH_ITEMS, list(version_keys), list(document_keys)],
    )


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
