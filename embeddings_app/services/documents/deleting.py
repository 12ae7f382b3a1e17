"""Deletes: once answered, no search that starts later shows the document."""

from dataclasses import dataclass

from embedding_project.contracts.keys import InputType, hashed_cache_key
from embeddings_app import registry
from embeddings_app.models import Namespace
from embeddings_app.records import changes, documents, model_locks
from embeddings_app.records.topology import writable_layouts
from embeddings_app.records.transactions import in_transaction
from embeddings_app.services import namespaces
from embeddings_app.services.embedding.cache import cached_vectors
from embeddings_app.services.embedding.metrics import DELETED


@dataclass(frozen=True, slots=True)
class DeleteResult:
    revision: int
    """Revision of the tombstone; 0 when there never was such a document."""
    deleted: bool
    """Whether this call deleted it; deleting again is no error."""


def delete(namespace: str, doc_id: str) -> DeleteResult:
    """Leave a tombstone of the document, tell every live index, forget its cached vectors. Idempotent."""
    space = namespaces.namespace(namespace)
    result, text_hash = in_transaction(lambda: _delete(space, doc_id))
    DELETED.inc(result.deleted)
    if text_hash:
        specs = registry.live_specs(space.model_id)
        cached_vectors().forget([hashed_cache_key(spec, kind, text_hash) for spec in specs for kind in InputType])
    return result


def _delete(space: Namespace, doc_id: str) -> tuple[DeleteResult, bytes]:
    """The outcome, with the hash of the text: the text itself may not be stored."""
    model_locks.lock_shared(space.model_id)
    specs = registry.live_specs(space.model_id)
    row = documents.lock_documents(space.pk, [doc_id]).get(doc_id)
    if row is None or row.deleted:
        return DeleteResult(row.revision if row else 0, deleted=False), b""
    documents.make_tombstone(row.key)
    entry = changes.ChangedDocument(row.key, row.revision + 1, row.shard_hash)
    changes.append_changes(writable_layouts(), [spec.version_key for spec in specs], [entry])
    return DeleteResult(row.revision + 1, deleted=True), row.content_hash
