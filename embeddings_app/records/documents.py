"""Documents: locked, compared, written and turned into tombstones. All of it inside the caller's transaction."""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from embedding_project.contracts.metadata import canonical, stored_metadata
from embedding_project.contracts.vectors import Vector
from embeddings_app.records import bulk_blocks, words
from embeddings_app.records.sql import execute, rows
from embeddings_app.records.transactions import RetryTransaction


@dataclass(frozen=True, slots=True)
class LockedDocument:
    """A document as it is while its row is locked."""

    key: int
    content_hash: bytes
    metadata: Mapping[str, Any]
    revision: int
    text_revision: int
    deleted: bool
    shard_hash: int
    expires_at: datetime | None
    expired: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentContent:
    """What a document is to hold from now on."""

    doc_id: str
    text: str
    metadata: dict[str, Any]
    content_hash: bytes
    vector: Vector | None
    """Where the client brings it."""
    shard_hash: int
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredDocument:
    """A document after the write."""

    key: int
    content: DocumentContent
    revision: int
    text_revision: int
    changed: bool
    new_text: bool
    """Its vector must be made, or replaced."""
    to_log: bool
    """The index must hear of it now: its metadata or its expiry changed, or the client brought the vector."""


def write_documents(namespace_key: int, contents: Sequence[DocumentContent]) -> list[StoredDocument]:
    """Lock the rows there are, and write what differs from them. Raises RetryTransaction."""
    found = lock_documents(namespace_key, [content.doc_id for content in contents])
    new = _insert(namespace_key, [content for content in contents if content.doc_id not in found])
    stored = [_compared(found.get(content.doc_id) or new[content.doc_id], content) for content in contents]
    _update([item for item in stored if item.changed and item.content.doc_id in found])
    return stored


def lock_documents(namespace_key: int, doc_ids: Sequence[str]) -> dict[str, LockedDocument]:
    """Lock the rows there are, in the order of their ids, so that two writers never wait for each other crosswise."""
    found = rows(
        """
        SELECT doc_id, id, content_hash, metadata::text, revision, text_revision, deleted, shard_hash,
               expires_at, coalesce(expires_at <= now(), false)
        FROM document WHERE namespace_id = %s AND doc_id = ANY(%s)
        ORDER BY doc_id FOR NO KEY UPDATE
        """,
        [namespace_key, list(doc_ids)],
    )
    return {
        doc_id: LockedDocument(key, bytes(content_hash), stored_metadata(metadata), *rest)
        for doc_id, key, content_hash, metadata, *rest in found
    }


def _compared(row: LockedDocument, content: DocumentContent) -> StoredDocument:
    new_text = row.deleted or row.content_hash != content.content_hash
    new_metadata = canonical(row.metadata) != canonical(content.metadata) or row.expires_at != content.expires_at
    return StoredDocument(
        key=row.key,
        content=content,
        revision=row.revision + (new_text or new_metadata),
        text_revision=row.text_revision + new_text,
        changed=new_text or new_metadata,
        new_text=new_text,
        to_log=(new_metadata and not row.deleted) or (new_text and content.vector is not None),
    )


def _insert(namespace_key: int, contents: Sequence[DocumentContent]) -> dict[str, LockedDocument]:
    """Insert new documents; gives them as they were before, at revision 0. Raises RetryTransaction when another writer
    was first."""
    if not contents:
        return {}
    ordered = sorted(contents, key=lambda content: content.doc_id.encode())
    found = rows(
        """
        INSERT INTO document (namespace_id, doc_id, text, metadata, content_hash, revision, text_revision,
                              deleted, shard_hash, expires_at, created_at, updated_at)
        SELECT %s, n.doc_id, n.text, n.metadata::jsonb, n.hash, 1, 1, false, n.shard, n.expires_at, now(), now()
        FROM unnest(%s::text[], %s::text[], %s::text[], %s::bytea[], %s::timestamptz[], %s::int[])
            AS n(doc_id, text, metadata, hash, expires_at, shard)
        ON CONFLICT (namespace_id, doc_id) DO NOTHING
        RETURNING doc_id, id, shard_hash
        """,
        [
            namespace_key,
            [content.doc_id for content in ordered],
            *_columns(ordered),
            [content.shard_hash for content in ordered],
        ],
    )
    if len(found) != len(ordered):
        raise RetryTransaction("a document was inserted by another writer")
    return {
        doc_id: LockedDocument(key, b"", {}, 0, 0, True, hashed, None, expired=False) for doc_id, key, hashed in found
    }


def _update(changed: Sequence[StoredDocument]) -> None:
    """Replace the content of documents whose rows are locked."""
    if not changed:
        return
    execute(
        """
        UPDATE document d SET text = n.text, metadata = n.metadata::jsonb, content_hash = n.hash,
                              revision = n.revision, text_revision = n.text_revision, deleted = false,
                              expires_at = n.expires_at, updated_at = now()
        FROM unnest(%s::bigint[], %s::int[], %s::int[], %s::text[], %s::text[], %s::bytea[], %s::timestamptz[])
            AS n(id, revision, text_revision, text, metadata, hash, expires_at)
        WHERE d.id = n.id
        """,
        [
            [item.key for item in changed],
            [item.revision for item in changed],
            [item.text_revision for item in changed],
            *_columns([item.content for item in changed]),
        ],
    )
    bulk_blocks.touch([item.key for item in changed])


def _columns(contents: Sequence[DocumentContent]) -> list[list[Any]]:
    return [
        [content.text for content in contents],
        [json.dumps(content.metadata, ensure_ascii=False) for content in contents],
        [content.content_hash for content in contents],
        [content.expires_at for content in contents],
    ]


def drop_unneeded_texts(document_keys: Sequence[int]) -> None:
    """Empty the texts of namespaces that do not keep them, as soon as no pending record needs them.

    Where a text was quarantined its hash goes too: the same text, sent again, is new work.
    """
    execute(
        """
        UPDATE document d SET text = '', content_hash = CASE WHEN EXISTS (
            SELECT 1 FROM embedding_record r WHERE r.document_id = d.id AND r.state = 'quarantined')
            THEN '' ELSE d.content_hash END
        FROM namespace n
        WHERE d.id = ANY(%s) AND n.id = d.namespace_id AND NOT n.store_text AND d.text <> '' AND NOT EXISTS (
            SELECT 1 FROM embedding_record r WHERE r.document_id = d.id AND r.state = 'pending')
        """,
        [list(document_keys)],
    )


def lock_unkept_texts(document_keys: Sequence[int]) -> list[int]:
    """Lock those of the documents that hold a text which their namespace does not keep; their keys."""
    if not document_keys:
        return []
    found = rows(
        """
        SELECT d.id FROM document d JOIN namespace n ON n.id = d.namespace_id
        WHERE d.id = ANY(%s) AND NOT n.store_text AND d.text <> ''
        ORDER BY d.namespace_id, d.doc_id FOR NO KEY UPDATE OF d
        """,
        [list(document_keys)],
    )
    return [key for (key,) in found]


def make_tombstones(document_keys: Sequence[int]) -> None:
    """Empty locked documents, their words, and their embeddings of every version."""
    keys = list(document_keys)
    execute(
        """
        UPDATE document SET deleted = true, revision = revision + 1, text = '', metadata = '{}', content_hash = '',
                            expires_at = NULL, updated_at = now()
        WHERE id = ANY(%s)
        """,
        [keys],
    )
    bulk_blocks.touch(keys)
    words.delete_words(keys)
    execute("DELETE FROM embedding_record WHERE document_id = ANY(%s)", [keys])
    execute(
        """
        DELETE FROM embedding_vector
        WHERE document_id = ANY(%s) AND model_version_id IN (SELECT id FROM model_registry)
        """,
        [keys],
    )


def replace_metadata(changed: Mapping[int, Mapping[str, Any]]) -> None:
    """Document key -> its new metadata. The rows are locked; each gets its next revision."""
    execute(
        """
        UPDATE document d SET metadata = n.metadata::jsonb, revision = d.revision + 1, updated_at = now()
        FROM unnest(%s::bigint[], %s::text[]) AS n(id, metadata) WHERE d.id = n.id
        """,
        [list(changed), [json.dumps(metadata, ensure_ascii=False) for metadata in changed.values()]],
    )
    bulk_blocks.touch(list(changed))


def expired_documents(limit: int, without: Collection[int] = ()) -> dict[int, list[str]]:
    """Namespace key -> ids of documents whose time is over, the longest ago first, `limit` in all; none of the
    namespaces `without`."""
    found: dict[int, list[str]] = {}
    for namespace_key, doc_id in rows(
        """
        SELECT namespace_id, doc_id FROM document
        WHERE NOT deleted AND expires_at <= now() AND namespace_id <> ALL(%s) ORDER BY expires_at LIMIT %s
        """,
        [list(without), limit],
    ):
        found.setdefault(namespace_key, []).append(doc_id)
    return found
