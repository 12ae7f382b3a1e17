"""Upserts: durable first, then hinted, then found by meaning.

One transaction writes the documents and marks what must be embedded. The answer follows the commit. Nothing that
happens to queues or nodes later can lose the write: the pending record is the work.
"""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from embedding_project.contracts.errors import InvalidRequest
from embedding_project.contracts.keys import content_hash, shard_hash
from embedding_project.contracts.languages import OFF
from embedding_project.contracts.limits import MAX_NAMESPACE_FIELDS, WAIT_DEADLINE_SECONDS
from embedding_project.contracts.metadata import flatten
from embedding_project.contracts.model_spec import ModelSpec, ModelType
from embedding_project.contracts.vectors import Vector, checked_vectors, to_bytes
from embeddings_app import registry
from embeddings_app.models import Namespace
from embeddings_app.records import changes, documents, embeddings, model_locks, namespaces, words
from embeddings_app.records.documents import DocumentContent, StoredDocument
from embeddings_app.records.topology import writable_layouts
from embeddings_app.records.transactions import in_transaction
from embeddings_app.services.documents.build_backlog import check_backlog
from embeddings_app.services.documents.once import Once, once_within
from embeddings_app.services.documents.outcomes import RefusedDocument, UpsertResult, Wait, outcomes_of
from embeddings_app.services.embedding.metrics import UPSERTED
from embeddings_app.services.indexing.hints_sent import hint_after_commit
from embeddings_app.services.namespaces import UNUSED_FRESH_SECONDS, check_model, unused_fields


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentWrite:
    doc_id: str
    text: str | None
    vector: list[Any] | str | None
    """Its numbers, or base64 of them."""
    metadata: dict[str, Any] | None
    """None keeps none: an upsert replaces the whole document."""
    if_revision: int | None = None
    """Write only if the document is at this revision, 0 for one that is not there; None whatever it is at."""
    expires_at: datetime | None = None
    """From when on no answer shows it."""
    field: str
    """Where the document stands in the request, for error messages."""

    def path(self, name: str) -> str:
        return f"{self.field}.{name}" if self.field else name


@dataclass(frozen=True, slots=True, kw_only=True)
class UpsertRequest:
    namespace: str
    model_id: str | None
    documents: tuple[DocumentWrite | RefusedDocument, ...]
    wait: Wait


def upsert(request: UpsertRequest, once: Once[UpsertResult] | None = None) -> UpsertResult:
    """Write the documents; the answer says how far each has come. Raises ServiceError and loses nothing, and
    AlreadyAnswered."""
    deadline = time.monotonic() + WAIT_DEADLINE_SECONDS
    version_key, outcomes = write(request, once)
    return outcomes_of(outcomes, request.wait, version_key, deadline)


def write(
    request: UpsertRequest, once: Once[UpsertResult] | None = None
) -> tuple[int, list[StoredDocument | RefusedDocument]]:
    """Make the documents durable, but for those with a fault. Raises the fault of the first when all have one, and
    Unavailable while the index has no room for more documents.

    Gives the key of the model version, and what became of each document, in the order of the request.
    """
    spec = registry.active_spec(request.model_id or _model_of(request.namespace))
    check_backlog(spec.version_key)
    checked = _checked(request, spec)
    _raise_if_none_is_left(checked)
    outcomes = in_transaction(
        lambda: once_within(
            once,
            lambda: _store(request, spec, checked),
            lambda written: outcomes_of(written, Wait.ACCEPTED, spec.version_key, deadline=0.0),
        )
    )
    stored = [item for item in outcomes if isinstance(item, StoredDocument)]
    UPSERTED.inc(len(stored))
    waiting = [item.key for item in stored if item.new_text]
    if waiting and spec.type is not ModelType.EXTERNAL:
        hint_after_commit(waiting)
    return spec.version_key, outcomes


def _model_of(namespace: str) -> str | None:
    found = Namespace.objects.filter(name=namespace).first()
    return found.model_id if found else None


def _checked(request: UpsertRequest, spec: ModelSpec) -> list[DocumentContent | RefusedDocument]:
    writes = [document for document in request.documents if isinstance(document, DocumentWrite)]
    with_vector = [write for write in writes if write.vector is not None and spec.type is ModelType.EXTERNAL]
    paths = [write.path("vector") for write in with_vector]
    found = checked_vectors([write.vector for write in with_vector], spec.dimension, paths)
    vectors = {write.doc_id: vector for write, vector in zip(with_vector, found, strict=True)}
    return [
        document
        if isinstance(document, RefusedDocument)
        else _content_or_fault(request.namespace, document, spec, vectors.get(document.doc_id))
        for document in request.documents
    ]


def _content_or_fault(
    namespace: str, document: DocumentWrite, spec: ModelSpec, vector: Vector | InvalidRequest | None
) -> DocumentContent | RefusedDocument:
    if isinstance(vector, InvalidRequest):
        return RefusedDocument(document.doc_id, vector)
    try:
        return _content(namespace, document, spec, vector)
    except InvalidRequest as error:
        return RefusedDocument(document.doc_id, error)


def _content(namespace: str, document: DocumentWrite, spec: ModelSpec, vector: Vector | None) -> DocumentContent:
    external = spec.type is ModelType.EXTERNAL
    if external and vector is None:
        raise InvalidRequest("vector_required", field=document.path("vector"))
    if not external and document.vector is not None:
        raise InvalidRequest("text_required", field=document.path("vector"))
    if not external and document.text is None:
        raise InvalidRequest("missing_field", "text is required", field=document.path("text"))
    text = document.text or ""
    return DocumentContent(
        doc_id=document.doc_id,
        text=text,
        metadata=document.metadata or {},
        content_hash=content_hash(text if vector is None else f"{text}\n{to_bytes(vector).hex()}"),
        vector=vector,
        shard_hash=shard_hash(namespace, document.doc_id),
        expires_at=document.expires_at,
    )


def _raise_if_none_is_left(documents_: Sequence[DocumentContent | RefusedDocument]) -> None:
    refused = [item for item in documents_ if isinstance(item, RefusedDocument)]
    if len(refused) == len(documents_):
        raise refused[0].error


def _store(
    request: UpsertRequest, spec: ModelSpec, checked: Sequence[DocumentContent | RefusedDocument]
) -> list[StoredDocument | RefusedDocument]:
    """1. hold off a change of the model's versions, and a drop of the namespace  2. fix its model and fields
    3. lock the documents  4. write them  5. mark or write embeddings  6. the log, whose counters are the last locks
    taken."""
    model_locks.lock_shared(spec.model_id)
    space = namespaces.claim_namespace(request.namespace, spec.model_id)
    check_model(space, spec.model_id)
    left = _with_claimed_fields(space, request, checked)
    if any(isinstance(write, DocumentWrite) and write.if_revision is not None for write in request.documents):
        left = _at_their_revisions(space.pk, request, left)
    version_keys = [version.version_key for version in registry.live_specs(spec.model_id)]
    in_order = iter(store(space, version_keys, [item for item in left if isinstance(item, DocumentContent)]))
    return [item if isinstance(item, RefusedDocument) else next(in_order) for item in left]


def _at_their_revisions(
    namespace_key: int, request: UpsertRequest, left: Sequence[DocumentContent | RefusedDocument]
) -> list[DocumentContent | RefusedDocument]:
    """Refuse the documents that are at another revision than asked for. The rows that are there stay locked; a row that
    is inserted meanwhile makes the transaction start over."""
    found = documents.lock_documents(namespace_key, [item.doc_id for item in left if isinstance(item, DocumentContent)])
    kept: list[DocumentContent | RefusedDocument] = []
    for write, item in zip(request.documents, left, strict=True):
        if isinstance(item, DocumentContent) and isinstance(write, DocumentWrite) and write.if_revision is not None:
            row = found.get(item.doc_id)
            revision = 0 if row is None or row.deleted or row.expired else row.revision
            if revision != write.if_revision:
                kept.append(RefusedDocument(item.doc_id, _conflict(revision, write.path("if_revision"))))
                continue
        kept.append(item)
    _raise_if_none_is_left(kept)
    return kept


def _conflict(revision: int, field: str) -> InvalidRequest:
    return InvalidRequest(
        "revision_conflict",
        f"the document is at revision {revision}" if revision else "there is no such document",
        field=field,
    )


def store(space: Namespace, version_keys: Sequence[int], contents: Sequence[DocumentContent]) -> list[StoredDocument]:
    """Write documents with their words, their embeddings and the log, in the caller's transaction, which holds the lock
    of the model. Those without a vector become work. Raises RetryTransaction."""
    stored = documents.write_documents(space.pk, contents)
    renewed = [item for item in stored if item.new_text]
    if space.text_search != OFF:
        for part in _parts(renewed, words.MOST_BYTES):
            words.write_words(space.pk, [item.key for item in part])
    if without_vector := [item.key for item in renewed if item.content.vector is None]:
        embeddings.mark_pending(without_vector, version_keys)
    _write_client_vectors(version_keys, renewed)
    documents.drop_unneeded_texts([item.key for item in stored])
    entries = [
        changes.ChangedDocument(item.key, item.revision, item.content.shard_hash) for item in stored if item.to_log
    ]
    changes.append_changes(writable_layouts(), version_keys, entries)
    return stored


def _parts(renewed: Sequence[StoredDocument], most_bytes: int) -> Iterator[list[StoredDocument]]:
    """Documents that have up to so much text together, and at least one."""
    part, size = list[StoredDocument](), 0
    for item in renewed:
        if part and size >= most_bytes:
            yield part
            part, size = [], 0
        part.append(item)
        size += len(item.content.text.encode())
    if part:
        yield part


def _with_claimed_fields(
    space: Namespace, request: UpsertRequest, checked: Sequence[DocumentContent | RefusedDocument]
) -> list[DocumentContent | RefusedDocument]:
    """Refuse the documents whose metadata fields are too many for the namespace."""
    wanted = [set(flatten(item.metadata)) if isinstance(item, DocumentContent) else set() for item in checked]
    fitting = namespaces.claim_fields(space, wanted, MAX_NAMESPACE_FIELDS, lambda: unused_fields(space.pk) or set())
    left = list(checked)
    if all(fitting):
        return left
    message = f"namespace {space.name!r} would exceed {MAX_NAMESPACE_FIELDS} fields; {_what_makes_room(space.pk)}"
    for place, document in enumerate(request.documents):
        if not fitting[place] and isinstance(document, DocumentWrite):
            error = InvalidRequest("too_many_fields", message, field=document.path("metadata"))
            left[place] = RefusedDocument(document.doc_id, error)
    _raise_if_none_is_left(left)
    return left


def _what_makes_room(namespace_key: int) -> str:
    if unused_fields(namespace_key) is None:
        return "it is too large to be looked through for fields that no document has any more"
    return f"a field that no document has any more makes room {UNUSED_FRESH_SECONDS:.0f} s later at the latest"


def _write_client_vectors(version_keys: Sequence[int], renewed: Sequence[StoredDocument]) -> None:
    finished = [
        embeddings.FinishedVector(item.key, item.text_revision, to_bytes(content.vector), content.content_hash)
        for item in renewed
        if (content := item.content).vector is not None
    ]
    for version_key in version_keys if finished else ():
        embeddings.write_vectors(version_key, finished)
