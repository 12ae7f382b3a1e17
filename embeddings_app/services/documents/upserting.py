"""Upserts: durable first, then hinted, then found by meaning.

One transaction writes the documents and marks what must be embedded. The answer follows the commit. Nothing that
happens to queues or nodes later can lose the write: the pending record is the work.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from embedding_project.contracts.errors import InvalidRequest
from embedding_project.contracts.keys import content_hash, shard_hash, shard_of
from embedding_project.contracts.limits import MAX_NAMESPACE_FIELDS, WAIT_DEADLINE_SECONDS
from embedding_project.contracts.metadata import canonical, flatten
from embedding_project.contracts.model_spec import ModelSpec, ModelType
from embedding_project.contracts.vectors import Vector, checked_vector, to_bytes
from embeddings_app import registry
from embeddings_app.models import Namespace, RecordState
from embeddings_app.records import changes, documents, embeddings
from embeddings_app.records.reading import record_states
from embeddings_app.records.topology import heads, writable_layouts
from embeddings_app.records.transactions import in_transaction
from embeddings_app.services.documents import positions
from embeddings_app.services.documents.waiting import applied_everywhere, wait_until_applied, wait_until_embedded
from embeddings_app.services.embedding.metrics import UPSERTED
from embeddings_app.services.indexing.hints_sent import hint_after_commit
from embeddings_app.services.topology import topology


class Wait(StrEnum):
    """How far a write must have come before it is answered."""

    ACCEPTED = "accepted"
    """Durable."""
    INDEXED = "indexed"
    """Embedded, and in the log of its shard."""
    SEARCHABLE = "searchable"
    """Applied by every replica that answers searches."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentWrite:
    doc_id: str
    text: str | None
    vector: list[Any] | None
    metadata: dict[str, Any] | None
    """None keeps none: an upsert replaces the whole document."""
    field: str
    """Where the document stands in the request, for error messages."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UpsertRequest:
    namespace: str
    model_id: str | None
    documents: tuple[DocumentWrite, ...]
    wait: Wait


@dataclass(frozen=True, slots=True)
class DocumentResult:
    doc_id: str
    revision: int
    state: str
    """pending, indexed, searchable or quarantined."""


@dataclass(frozen=True, slots=True)
class UpsertResult:
    results: tuple[DocumentResult, ...]
    token: str | None
    """Position from which all of it can be searched; None until it is indexed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Write:
    """A checked document, before it is compared with what is stored."""

    doc_id: str
    text: str
    metadata: dict[str, Any]
    content_hash: bytes
    vector: Vector | None
    shard_hash: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Stored:
    """A document after the transaction."""

    key: int
    write: _Write
    revision: int
    text_revision: int
    new_text: bool
    """Its vector must be made, or replaced."""
    to_log: bool
    """The index must hear of it now: its metadata changed, or the client brought the vector."""


def upsert(request: UpsertRequest) -> UpsertResult:
    """Write the documents; the answer says how far each has come. Raises ServiceError and loses nothing."""
    deadline = time.time() + WAIT_DEADLINE_SECONDS
    spec = registry.active_spec(request.model_id or _model_of(request.namespace))
    writes = [_checked(request.namespace, document, spec) for document in request.documents]
    stored = in_transaction(lambda: _store(request, spec, writes))
    UPSERTED.inc(len(stored))
    waiting = [item.key for item in stored if item.new_text]
    if waiting and spec.type is not ModelType.EXTERNAL:
        hint_after_commit(waiting)
    return _answer(request.wait, spec, stored, deadline)


def _model_of(namespace: str) -> str | None:
    found = Namespace.objects.filter(name=namespace).first()
    return found.model_id if found else None


def _checked(namespace: str, document: DocumentWrite, spec: ModelSpec) -> _Write:
    external = spec.type is ModelType.EXTERNAL
    prefix = f"{document.field}." if document.field else ""
    if external and document.vector is None:
        raise InvalidRequest("vector_required", field=f"{prefix}vector")
    if not external and document.vector is not None:
        raise InvalidRequest("text_required", field=f"{prefix}vector")
    if not external and document.text is None:
        raise InvalidRequest("missing_field", "text is required", field=f"{prefix}text")
    vector = checked_vector(document.vector, spec.dimension, f"{prefix}vector") if external else None
    text = document.text or ""
    return _Write(
        doc_id=document.doc_id,
        text=text,
        metadata=document.metadata or {},
        content_hash=content_hash(text if vector is None else f"{text}\n{to_bytes(vector).hex()}"),
        vector=vector,
        shard_hash=shard_hash(namespace, document.doc_id),
    )


def _store(request: UpsertRequest, spec: ModelSpec, writes: Sequence[_Write]) -> list[_Stored]:
    """1. fix the model and fields of the namespace  2. lock the documents  3. write them  4. mark or write embeddings
    5. the log, whose counters are the last locks taken."""
    space = documents.claim_namespace(request.namespace, spec.model_id)
    registry.check_model(space, spec.model_id)
    _claim_fields(space, writes)
    registry.lock_shared(spec.model_id)
    versions = registry.live_specs(spec.model_id)
    stored = _write_documents(space, writes)
    renewed = [item for item in stored if item.new_text]
    version_keys = [version.version_key for version in versions]
    if spec.type is ModelType.EXTERNAL:
        _write_client_vectors(version_keys, renewed)
    elif renewed:
        embeddings.mark_pending([item.key for item in renewed], version_keys)
    entries = [
        changes.ChangedDocument(item.key, item.revision, item.write.shard_hash) for item in stored if item.to_log
    ]
    changes.append_changes(writable_layouts(), version_keys, entries)
    return stored


def _claim_fields(space: Namespace, writes: Sequence[_Write]) -> None:
    fields = {path for write in writes for path in flatten(write.metadata)}
    if not fields <= set(space.fields) and not documents.add_fields(space.pk, fields, MAX_NAMESPACE_FIELDS):
        raise InvalidRequest(
            "too_many_fields", f"namespace {space.name!r} would exceed {MAX_NAMESPACE_FIELDS} fields", field="metadata"
        )


def _write_documents(space: Namespace, writes: Sequence[_Write]) -> list[_Stored]:
    """Compare each document with its locked row, and write those that differ."""
    found = documents.lock_documents(space.pk, [write.doc_id for write in writes])
    new = [_content(write, revision=1, text_revision=1) for write in writes if write.doc_id not in found]
    keys = documents.insert_documents(space.pk, new)
    stored, updates = [], []
    for write in writes:
        row = found.get(write.doc_id)
        if row is None:
            stored.append(_inserted(keys[write.doc_id], write))
            continue
        new_text = row.deleted or row.content_hash != write.content_hash
        new_metadata = canonical(row.metadata) != canonical(write.metadata)
        item = _Stored(
            key=row.key,
            write=write,
            revision=row.revision + (new_text or new_metadata),
            text_revision=row.text_revision + new_text,
            new_text=new_text,
            to_log=(new_metadata and not row.deleted) or (new_text and write.vector is not None),
        )
        stored.append(item)
        if item.revision != row.revision:
            updates.append(_content(write, revision=item.revision, text_revision=item.text_revision))
    documents.update_documents(space.pk, updates)
    return stored


def _inserted(key: int, write: _Write) -> _Stored:
    return _Stored(key=key, write=write, revision=1, text_revision=1, new_text=True, to_log=write.vector is not None)


def _content(write: _Write, *, revision: int, text_revision: int) -> documents.DocumentContent:
    return documents.DocumentContent(
        doc_id=write.doc_id,
        text=write.text,
        metadata=write.metadata,
        content_hash=write.content_hash,
        revision=revision,
        text_revision=text_revision,
        shard_hash=write.shard_hash,
    )


def _write_client_vectors(version_keys: Sequence[int], renewed: Sequence[_Stored]) -> None:
    finished = [
        embeddings.FinishedVector(item.key, item.text_revision, to_bytes(item.write.vector), item.write.content_hash)
        for item in renewed
        if item.write.vector is not None
    ]
    if finished:
        for version_key in version_keys:
            embeddings.write_vectors(version_key, finished)


def _answer(wait: Wait, spec: ModelSpec, stored: Sequence[_Stored], deadline: float) -> UpsertResult:
    keys = [item.key for item in stored]
    if wait is Wait.ACCEPTED:
        states = record_states(spec.version_key, keys)
    else:
        states = wait_until_embedded(spec.version_key, keys, deadline)
    if RecordState.PENDING in states.values():
        return UpsertResult(_results(stored, states, searchable=False), None)
    current = topology()
    shards = {shard_of(item.write.shard_hash, current.shards) for item in stored}
    seqs = heads(current.layout, spec.version_key, shards)
    position = positions.Position(current.epoch, current.layout, spec.version_key, seqs)
    if wait is Wait.SEARCHABLE:
        searchable = wait_until_applied(position, current, deadline)
    else:
        searchable = applied_everywhere(position, current)
    return UpsertResult(_results(stored, states, searchable=searchable), positions.encode(position))


def _results(stored: Sequence[_Stored], states: dict[int, str], *, searchable: bool) -> tuple[DocumentResult, ...]:
    ready = "searchable" if searchable else "indexed"
    return tuple(
        DocumentResult(
            item.write.doc_id, item.revision, ready if states[item.key] == RecordState.READY else states[item.key]
        )
        for item in stored
    )
