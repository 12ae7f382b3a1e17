"""Deletes: once answered, no search that starts later shows the documents."""

from collections.abc import Sequence
from dataclasses import dataclass

from embedding_project.contracts.filters import Filter, matches
from embedding_project.contracts.keys import InputType, hashed_cache_key
from embedding_project.contracts.metadata import flatten
from embeddings_app import registry
from embeddings_app.models import Namespace
from embeddings_app.records import changes, documents, model_locks
from embeddings_app.records.documents import LockedDocument
from embeddings_app.records.topology import writable_layouts
from embeddings_app.records.transactions import in_transaction
from embeddings_app.services import namespaces
from embeddings_app.services.documents.once import Once, once_within
from embeddings_app.services.embedding.cache import cached_vectors
from embeddings_app.services.embedding.metrics import DELETED

_Done = tuple[dict[str, LockedDocument], list[LockedDocument]]


@dataclass(frozen=True, slots=True)
class DeleteResult:
    revision: int
    """Revision of the tombstone; 0 when there never was such a document."""
    deleted: bool
    """Whether this call deleted it; deleting again is no error."""


def delete(namespace: str, doc_id: str, once: Once[DeleteResult] | None = None) -> DeleteResult:
    """Leave a tombstone of the document, tell every live index, forget its cached vectors. Idempotent. Raises
    AlreadyAnswered."""
    space = namespaces.namespace(namespace)

    def result_of(done: _Done) -> DeleteResult:
        found, gone = done
        row = found.get(doc_id)
        return DeleteResult(row.revision + len(gone) if row else 0, deleted=bool(gone))

    done = in_transaction(lambda: once_within(once, lambda: _delete(space, [doc_id], None), result_of))
    _forget_vectors(space, done[1])
    return result_of(done)


def delete_many(
    space: Namespace, doc_ids: Sequence[str], filter_: Filter | None = None, once: Once[int] | None = None
) -> int:
    """Delete those of the documents that live and pass the filter while they are locked; gives how many. Raises
    AlreadyAnswered."""
    _, gone = in_transaction(
        lambda: once_within(once, lambda: _delete(space, doc_ids, filter_), lambda done: len(done[1]))
    )
    _forget_vectors(space, gone)
    return len(gone)


def delete_expired(namespace_key: int, doc_ids: Sequence[str]) -> int:
    """Delete those of the documents whose time is over while they are locked; gives how many."""
    space = Namespace.objects.filter(pk=namespace_key).first()
    if space is None:
        return 0  # it was dropped since they were found, and its documents are gone
    _, gone = in_transaction(lambda: _delete(space, doc_ids, None, only_expired=True))
    _forget_vectors(space, gone)
    return len(gone)


def _delete(space: Namespace, doc_ids: Sequence[str], filter_: Filter | None, *, only_expired: bool = False) -> _Done:
    """The rows as they were, and those of them that became tombstones."""
    model_locks.lock_shared(space.model_id)
    specs = registry.live_specs(space.model_id)
    found = documents.lock_documents(space.pk, doc_ids)
    gone = [
        row
        for row in found.values()
        if not row.deleted
        and (row.expired or not only_expired)
        and (filter_ is None or matches(filter_, flatten(row.metadata)))
    ]
    if gone:
        documents.make_tombstones([row.key for row in gone])
        entries = [changes.ChangedDocument(row.key, row.revision + 1, row.shard_hash) for row in gone]
        changes.append_changes(writable_layouts(), [spec.version_key for spec in specs], entries)
    return found, gone


def _forget_vectors(space: Namespace, gone: Sequence[LockedDocument]) -> None:
    """By the hashes of the texts: the texts themselves may not be stored."""
    DELETED.inc(len(gone))
    hashes = {row.content_hash for row in gone if row.content_hash}
    if hashes:
        specs = registry.live_specs(space.model_id)
        # Without prompts, a text has one vector for queries and documents.
        named = [(spec, kind) for spec in specs for kind in {spec.prompt(kind): kind for kind in InputType}.values()]
        cached_vectors().forget([hashed_cache_key(spec, kind, one) for one in hashes for spec, kind in named])
