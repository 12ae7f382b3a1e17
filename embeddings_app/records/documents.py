"""Documents: locked, written and turned into tombstones. All of it inside the caller's transaction."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import connection

from embeddings_app.models import Namespace
from embeddings_app.records.transactions import RetryTransaction


@dataclass(frozen=True, slots=True)
class LockedDocument:
    """A document as it is while its row is locked."""

    key: int
    doc_id: str
    content_hash: bytes
    metadata: dict[str, Any]
    revision: int
    text_revision: int
    deleted: bool
    shard_hash: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentContent:
    """What a document is to hold from now on."""

    doc_id: str
    text: str
    metadata: dict[str, Any]
    content_hash: bytes
    revision: int
    text_revision: int
    shard_hash: int


def lock_documents(namespace_key: int, doc_ids: Sequence[str]) -> dict[str, LockedDocument]:
    """Lock the rows there are, in the order of their ids, so that two writers never wait for each other crosswise."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT id, doc_id, content_hash, metadata::text, revision, text_revision, deleted, shard_hash
            FROM document WHERE namespace_id = %s AND doc_id = ANY(%s)
            ORDER BY doc_id FOR NO KEY UPDATE
            """,
            [namespace_key, list(doc_ids)],
        )
        rows = [
            LockedDocument(key, doc_id, bytes(content_hash), json.loads(metadata), *rest)
            for key, doc_id, content_hash, metadata, *rest in cursor.fetchall()
        ]
    return {row.doc_id: row for row in rows}


def insert_documents(namespace_key: int, contents: Sequence[DocumentContent]) -> dict[str, int]:
    """Insert new documents and give their keys. Raises RetryTransaction when another writer was first."""
    if not contents:
        return {}
    ordered = sorted(contents, key=lambda content: content.doc_id.encode())
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO document (namespace_id, doc_id, text, metadata, content_hash, revision, text_revision,
                                  deleted, shard_hash, created_at, updated_at)
            SELECT %s, n.doc_id, n.text, n.metadata::jsonb, n.hash, n.revision, n.text_revision,
                   false, n.shard, now(), now()
            FROM unnest(%s::text[], %s::text[], %s::text[], %s::bytea[], %s::int[], %s::int[], %s::int[])
                AS n(doc_id, text, metadata, hash, revision, text_revision, shard)
            ON CONFLICT (namespace_id, doc_id) DO NOTHING
            RETURNING doc_id, id
            """,
            [namespace_key, *_columns(ordered), [content.shard_hash for content in ordered]],
        )
        keys: dict[str, int] = dict(cursor.fetchall())
    if len(keys) != len(ordered):
        raise RetryTransaction("a document was inserted by another writer")
    return keys


def update_documents(namespace_key: int, contents: Sequence[DocumentContent]) -> None:
    """Replace the content of documents whose rows are locked."""
    if not contents:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE document d SET text = n.text, metadata = n.metadata::jsonb, content_hash = n.hash,
                                  revision = n.revision, text_revision = n.text_revision, deleted = false,
                                  updated_at = now()
            FROM unnest(%s::text[], %s::text[], %s::text[], %s::bytea[], %s::int[], %s::int[])
                AS n(doc_id, text, metadata, hash, revision, text_revision)
            WHERE d.namespace_id = %s AND d.doc_id = n.doc_id
            """,
            [*_columns(contents), namespace_key],
        )


def make_tombstone(document_key: int) -> str:
    """Empty a locked document and its embeddings of every version; gives the text it had."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT text FROM document WHERE id = %s", [document_key])
        text: str = cursor.fetchone()[0]
        cursor.execute(
            """
            UPDATE document SET deleted = true, revision = revision + 1, text = '', metadata = '{}', content_hash = '',
                                updated_at = now()
            WHERE id = %s
            """,
            [document_key],
        )
        cursor.execute("DELETE FROM embedding_record WHERE document_id = %s", [document_key])
        cursor.execute(
            """
            DELETE FROM embedding_vector
            WHERE document_id = %s AND model_version_id IN (SELECT id FROM model_registry)
            """,
            [document_key],
        )
    return text


def claim_namespace(name: str, model_id: str) -> Namespace:
    """The namespace of that name, made with this model at the first write."""
    found = Namespace.objects.filter(name=name).first()
    if found is not None:
        return found
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO namespace (name, model_id, store_text, fields, limits, created_at)
            VALUES (%s, %s, true, '{}', '{}', now()) ON CONFLICT (name) DO NOTHING
            """,
            [name, model_id],
        )
    return Namespace.objects.get(name=name)


def add_fields(namespace_key: int, fields: Iterable[str], limit: int) -> bool:
    """Record metadata fields of the namespace; False, and nothing changed, when they would be more than `limit`."""
    row = Namespace.objects.select_for_update(no_key=True).get(pk=namespace_key)
    known = sorted({*row.fields, *fields})
    if len(known) > limit:
        return False
    row.fields = known
    row.save(update_fields=["fields"])
    return True


def _columns(contents: Sequence[DocumentContent]) -> list[list[Any]]:
    return [
        [content.doc_id for content in contents],
        [content.text for content in contents],
        [json.dumps(content.metadata, ensure_ascii=False) for content in contents],
        [content.content_hash for content in contents],
        [content.revision for content in contents],
        [content.text_revision for content in contents],
    ]
