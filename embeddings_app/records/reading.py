"""Reads for answers: hits made whole, and single documents."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from embedding_project.contracts.metadata import stored_metadata
from embeddings_app.records.bulk_blocks import hidden
from embeddings_app.records.sql import prepared_rows, rows


@dataclass(frozen=True, slots=True)
class HitRow:
    """What Postgres says now about a document that a shard returned."""

    namespace_key: int
    doc_id: str
    stored_text_revision: int
    """Revision of the text whose vector is stored; a hit from another one is out of date."""
    current_text_revision: int
    metadata: dict[str, Any] | None
    text: str | None
    vector: bytes | None


@dataclass(frozen=True, slots=True)
class DocumentRow:
    key: int
    doc_id: str
    text: str
    metadata: dict[str, Any]
    revision: int
    text_revision: int
    updated_at: datetime
    expires_at: datetime | None
    state: str | None
    stored_text_revision: int | None


_TOLD_STATE = f"CASE WHEN r.state = 'ready' AND {hidden('d', 'r.model_version_id')} THEN 'pending' ELSE r.state END"
"""A document whose vector is hidden from index nodes is not indexed yet."""
LASTS = "(d.expires_at IS NULL OR d.expires_at > now())"
"""SQL: whether the time of the document `d` is not over."""
_VECTOR = "JOIN embedding_vector v ON v.document_id = d.id AND v.model_version_id = %(version)s"


def hydrate(
    version_key: int, document_keys: Collection[int], *, with_metadata: bool, with_text: bool, with_vector: bool
) -> dict[int, HitRow]:
    """Document key -> row, of those that still live and have a vector of the version."""
    query = f"""
        SELECT d.id, d.namespace_id, d.doc_id, r.text_revision, d.text_revision,
               {"d.metadata::text" if with_metadata else "NULL::text"}, {"d.text" if with_text else "NULL::text"},
               {"v.vector" if with_vector else "NULL::bytea"}
        FROM document d JOIN embedding_record r ON r.document_id = d.id AND r.model_version_id = %(version)s
        {_VECTOR if with_vector else ""}
        WHERE d.id = ANY(%(keys)s) AND NOT d.deleted AND {LASTS}
        """
    # As text, a vector would be twice as long, and read digit by digit.
    found = prepared_rows(query, {"version": version_key, "keys": list(document_keys)}, binary=with_vector)
    return {
        key: HitRow(space, doc_id, stored, current, _read_metadata(metadata), text, vector)
        for key, space, doc_id, stored, current, metadata, text, vector in found
    }


def _read_metadata(text: str | None) -> dict[str, Any] | None:
    return None if text is None else stored_metadata(text)


def read_documents(namespace_key: int, version_key: int, doc_ids: Sequence[str]) -> dict[str, DocumentRow]:
    """Id -> document, of those that live."""
    found = rows(
        f"""
        SELECT d.id, d.doc_id, d.text, d.metadata::text, d.revision, d.text_revision, d.updated_at,
               d.expires_at, {_TOLD_STATE}, r.text_revision
        FROM document d LEFT JOIN embedding_record r ON r.document_id = d.id AND r.model_version_id = %s
        WHERE d.namespace_id = %s AND d.doc_id = ANY(%s) AND NOT d.deleted AND {LASTS}
        """,
        [version_key, namespace_key, list(doc_ids)],
    )
    return {
        doc_id: DocumentRow(key, doc_id, text, stored_metadata(metadata), *rest)
        for key, doc_id, text, metadata, *rest in found
    }


def read_vectors(version_key: int, document_keys: Sequence[int]) -> dict[int, bytes]:
    """Document key -> vector, where there is one."""
    found = rows(
        "SELECT document_id, vector FROM embedding_vector WHERE model_version_id = %s AND document_id = ANY(%s)",
        [version_key, list(document_keys)],
    )
    return {key: bytes(vector) for key, vector in found}


def read_living(document_keys: Sequence[int], *, with_metadata: bool) -> dict[int, tuple[str, dict[str, Any] | None]]:
    """Document key -> id and metadata, of those that live."""
    found = rows(
        f"""
        SELECT d.id, d.doc_id, {"d.metadata::text" if with_metadata else "NULL"} FROM document d
        WHERE d.id = ANY(%s) AND NOT d.deleted AND {LASTS}
        """,
        [list(document_keys)],
    )
    return {key: (doc_id, _read_metadata(metadata)) for key, doc_id, metadata in found}


def record_states(version_key: int, document_keys: Sequence[int]) -> dict[int, str]:
    """Document key -> state of its record, as clients are told it."""
    found = rows(
        f"""
        SELECT r.document_id, {_TOLD_STATE} FROM embedding_record r JOIN document d ON d.id = r.document_id
        WHERE r.model_version_id = %s AND r.document_id = ANY(%s)
        """,
        [version_key, list(document_keys)],
    )
    return dict(found)
