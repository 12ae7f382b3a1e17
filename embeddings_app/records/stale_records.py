"""Documents whose embedding record says less than the document: found by ranges of keys, and made work again.

A record that is pending or quarantined is the business of the indexers, and a version that is being filled that of its
run.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from embedding_project.contracts.model_spec import ModelType
from embeddings_app.models import SEARCHABLE_STATUSES
from embeddings_app.records import embeddings
from embeddings_app.records.sql import execute, row, rows


@dataclass(frozen=True, slots=True)
class Scanned:
    """What one look at a range of documents found."""

    last_key: int
    """Of the range; the next one begins behind it."""
    documents: int
    """In the range. Fewer than asked for: the range was the last one."""
    stale: tuple[tuple[int, int], ...]
    """Pairs of document key and version key."""


_IS_STALE = "(r.id IS NULL OR (r.state = 'ready' AND r.text_revision < d.text_revision))"
_EMBEDDED_VERSION = "m.status = ANY(%(statuses)s) AND m.type <> %(external)s"
_PARAMETERS = {"statuses": list(SEARCHABLE_STATUSES), "external": ModelType.EXTERNAL.value}


def scan(after: int, limit: int) -> Scanned:
    """Look at the next `limit` documents beyond the key `after`, whatever their model and version."""
    last_key, documents, stale_documents, stale_versions = row(
        f"""
        WITH d AS MATERIALIZED (
            SELECT id, namespace_id, text_revision, NOT deleted AND text <> '' AS has_text FROM document
            WHERE id > %(after)s ORDER BY id LIMIT %(limit)s
        ), stale AS (
            SELECT d.id, m.id AS version FROM d
            JOIN namespace n ON n.id = d.namespace_id
            JOIN model_registry m ON m.model_id = n.model_id AND {_EMBEDDED_VERSION}
            LEFT JOIN embedding_record r ON r.document_id = d.id AND r.model_version_id = m.id
            WHERE d.has_text AND {_IS_STALE}
        )
        SELECT (SELECT coalesce(max(id), %(after)s) FROM d), (SELECT count(*) FROM d),
               (SELECT array_agg(id ORDER BY id, version) FROM stale),
               (SELECT array_agg(version ORDER BY id, version) FROM stale)
        """,
        {"after": after, "limit": limit, **_PARAMETERS},
    )
    return Scanned(last_key, documents, tuple(zip(stale_documents or (), stale_versions or (), strict=True)))


def make_pending(version_key: int, document_keys: Sequence[int]) -> int:
    """Make those of the documents work again that are stale now; how many. In the caller's transaction, which holds the
    shared lock of the model."""
    execute(
        "SELECT 1 FROM document WHERE id = ANY(%s) ORDER BY namespace_id, doc_id FOR NO KEY UPDATE",
        [list(document_keys)],
    )
    # A statement of its own, so that it sees what writers did that held the documents.
    found = rows(
        f"""
        SELECT d.id FROM document d JOIN model_registry m ON m.id = %(version)s AND {_EMBEDDED_VERSION}
        LEFT JOIN embedding_record r ON r.document_id = d.id AND r.model_version_id = m.id
        WHERE d.id = ANY(%(keys)s) AND NOT d.deleted AND d.text <> '' AND {_IS_STALE}
        """,
        {"version": version_key, "keys": list(document_keys), **_PARAMETERS},
    )
    if found:
        embeddings.mark_pending([key for (key,) in found], [version_key])
    return len(found)
