"""Reads of single documents."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from embedding_project.contracts.errors import ServiceError
from embedding_project.contracts.vectors import Vector, from_bytes
from embeddings_app import registry
from embeddings_app.models import RecordState
from embeddings_app.records import reading
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
    vector: Vector | None


def read_document(namespace: str, doc_id: str, include_vector: bool) -> DocumentView:
    """The document as it is now. Raises unknown_namespace or unknown_document."""
    space = namespaces.namespace(namespace)
    spec = registry.active_spec(space.model_id)
    row = reading.read_document(space.pk, spec.version_key, doc_id)
    if row is None:
        raise ServiceError("unknown_document", f"no document {doc_id[:200]!r} in namespace {namespace!r}")
    raw = reading.read_vector(spec.version_key, row.key) if include_vector else None
    stored = row.stored_text_revision or 0
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
        vector=from_bytes(raw, spec.dimension)[0] if raw else None,
    )
