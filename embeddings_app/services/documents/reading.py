"""Reads of documents by their ids."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from embedding_project.contracts.errors import ServiceError
from embedding_project.contracts.model_spec import ModelSpec
from embedding_project.contracts.vectors import Vector, from_bytes
from embeddings_app import registry
from embeddings_app.models import RecordState
from embeddings_app.records import reading
from embeddings_app.records.reading import DocumentRow
from embeddings_app.services import namespaces


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentView:
    doc_id: str
    namespace: str
    text: str | None
    metadata: dict[str, Any]
    revision: int
    state: str
    """pending, indexed or quarantined."""
    stale: bool
    """Searches still use the vector of an earlier text."""
    updated_at: datetime
    expires_at: datetime | None
    vector: Vector | None


def read_document(namespace: str, doc_id: str, include_vector: bool) -> DocumentView:
    """The document as it is now. Raises unknown_namespace or unknown_document."""
    found = read_documents(namespace, [doc_id], include_vector)
    if not found:
        raise ServiceError("unknown_document", f"no document {doc_id[:200]!r} in namespace {namespace!r}")
    return found[0]


def read_documents(namespace: str, doc_ids: Sequence[str], include_vector: bool) -> list[DocumentView]:
    """The documents there are now, in the order of `doc_ids`. Raises unknown_namespace."""
    space = namespaces.namespace(namespace)
    spec = registry.active_spec(space.model_id)
    found = reading.read_documents(space.pk, spec.version_key, doc_ids)
    vectors = reading.read_vectors(spec.version_key, [row.key for row in found.values()]) if include_vector else {}
    return [_view(found[doc_id], namespace, spec, vectors) for doc_id in doc_ids if doc_id in found]


def _view(row: DocumentRow, namespace: str, spec: ModelSpec, vectors: Mapping[int, bytes]) -> DocumentView:
    raw, stored = vectors.get(row.key), row.stored_text_revision or 0
    state = row.state or RecordState.PENDING
    return DocumentView(
        doc_id=row.doc_id,
        namespace=namespace,
        text=row.text or None,
        metadata=row.metadata,
        revision=row.revision,
        state="indexed" if state == RecordState.READY else str(state),
        stale=0 < stored < row.text_revision,
        updated_at=row.updated_at,
        expires_at=row.expires_at,
        vector=from_bytes(raw, spec.dimension)[0] if raw else None,
    )
