"""Reads of single documents, of namespaces and of the models."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from embedding_project.contracts.errors import ServiceError
from embedding_project.contracts.model_spec import ModelType
from embedding_project.contracts.vectors import Vector, from_bytes
from embeddings_app import registry
from embeddings_app.models import ModelRegistry, ModelStatus, RecordState
from embeddings_app.records import reading
from embeddings_app.records.topology import consuming_replicas
from embeddings_app.services.topology import topology


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


@dataclass(frozen=True, slots=True, kw_only=True)
class NamespaceStatus:
    name: str
    model_id: str
    count: int
    pending: int
    searchable: int
    """Documents that every answering replica has applied."""
    quarantined: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelView:
    model_id: str
    version: int
    type: str
    dimension: int
    status: str
    max_tokens: int
    created_at: datetime

    @property
    def embeds_text(self) -> bool:
        """Whether clients may name it where vectors are asked for."""
        return self.status == ModelStatus.ACTIVE and self.type != ModelType.EXTERNAL


def read_document(namespace: str, doc_id: str, include_vector: bool) -> DocumentView:
    """The document as it is now. Raises unknown_namespace or unknown_document."""
    space = registry.namespace(namespace)
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


def namespace_status(name: str) -> NamespaceStatus:
    """Counts of a namespace. Raises unknown_namespace."""
    space = registry.namespace(name)
    spec = registry.active_spec(space.model_id)
    counts = reading.count_namespace(space.pk, spec.version_key)
    current = topology()
    slowest: dict[int, int] = {}
    for replica in sorted(consuming_replicas(current.layout, spec.version_key), key=lambda item: -item.applied_seq):
        slowest[replica.shard] = replica.applied_seq
    waiting = reading.count_unapplied(space.pk, current.layout, spec.version_key, slowest)
    silent = [shard for shard in range(current.shards) if shard not in slowest]
    if silent:
        waiting += reading.count_indexed(space.pk, spec.version_key, current.shards, silent)
    return NamespaceStatus(
        name=space.name,
        model_id=space.model_id,
        count=counts.count,
        pending=counts.pending,
        searchable=counts.indexed - waiting,
        quarantined=counts.quarantined,
    )


def list_models() -> list[ModelView]:
    """Every version that is not retired."""
    return [_model_view(row) for row in ModelRegistry.objects.exclude(status=ModelStatus.RETIRED)]


def read_model(model_id: str) -> ModelView:
    """The active version of a model. Raises unknown_model or model_not_active."""
    spec = registry.active_spec(model_id)
    return _model_view(ModelRegistry.objects.get(pk=spec.version_key))


def _model_view(row: ModelRegistry) -> ModelView:
    return ModelView(
        model_id=row.model_id,
        version=row.version,
        type=row.type,
        dimension=row.dimension,
        status=row.status,
        max_tokens=row.max_tokens,
        created_at=row.created_at,
    )
