"""Changes of metadata without the text: nothing is embedded again, and the index hears of it at once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from embedding_project.contracts.errors import InvalidRequest
from embedding_project.contracts.filters import Filter, matches
from embedding_project.contracts.limits import MAX_NAMESPACE_FIELDS
from embedding_project.contracts.metadata import canonical, checked_metadata, flatten
from embeddings_app import registry
from embeddings_app.models import Namespace
from embeddings_app.records import changes, documents, model_locks, namespaces
from embeddings_app.records.documents import LockedDocument
from embeddings_app.records.topology import writable_layouts
from embeddings_app.records.transactions import in_transaction
from embeddings_app.services.documents import positions
from embeddings_app.services.documents.once import Once, once_within
from embeddings_app.services.documents.outcomes import RefusedDocument
from embeddings_app.services.documents.waiting import wait_until_applied
from embeddings_app.services.namespaces import unused_fields
from embeddings_app.services.topology import topology


@dataclass(frozen=True, slots=True)
class MetadataChange:
    """Keys of the outermost level: a value is replaced whole."""

    set: Mapping[str, Any]
    unset: tuple[str, ...]

    def of(self, metadata: Mapping[str, Any]) -> dict[str, Any]:
        kept = {key: value for key, value in metadata.items() if key not in self.unset}
        return {**kept, **self.set}


@dataclass(frozen=True, slots=True)
class Updated:
    matched: int
    changed: int
    """Those of them whose metadata was other before."""
    refused: tuple[RefusedDocument, ...]
    """Those whose metadata would break a limit; they keep what they had."""


def update_many(
    space: Namespace,
    doc_ids: Sequence[str],
    change: MetadataChange,
    filter_: Filter | None = None,
    once: Once[Updated] | None = None,
) -> Updated:
    """Change those of the documents that live and pass the filter while they are locked. Raises too_many_fields, and
    AlreadyAnswered."""
    return in_transaction(
        lambda: once_within(once, lambda: _update(space, doc_ids, change, filter_), lambda updated: updated)
    )


def searchable_token(space: Namespace, deadline: float | None) -> str:
    """Position of all changes so far, for searches that must see them. With a deadline (monotonic seconds) it waits
    until every replica that answers searches has applied them, as long as that may take."""
    version_key, current = registry.active_spec(space.model_id).version_key, topology()
    position = positions.newest(current, version_key)
    if deadline is not None:
        wait_until_applied(position, current, deadline)
    return positions.encode(position)


def _update(space: Namespace, doc_ids: Sequence[str], change: MetadataChange, filter_: Filter | None) -> Updated:
    # In the order of upserts: who holds the row of the namespace must not wait for the lock of the model.
    model_locks.lock_shared(space.model_id)
    wanted = set(flatten(change.set))
    if not all(
        namespaces.claim_fields(space, [wanted], MAX_NAMESPACE_FIELDS, lambda: unused_fields(space.pk) or set())
    ):
        message = f"namespace {space.name!r} would exceed {MAX_NAMESPACE_FIELDS} fields"
        raise InvalidRequest("too_many_fields", message, field="set")
    version_keys = [spec.version_key for spec in registry.live_specs(space.model_id)]
    found = documents.lock_documents(space.pk, doc_ids)
    matched = {
        doc_id: row
        for doc_id, row in found.items()
        if not row.deleted and not row.expired and (filter_ is None or matches(filter_, flatten(row.metadata)))
    }
    changed, refused = _changed(matched, change)
    if changed:
        documents.replace_metadata({matched[doc_id].key: metadata for doc_id, metadata in changed.items()})
        rows = [matched[doc_id] for doc_id in changed]
        entries = [changes.ChangedDocument(row.key, row.revision + 1, row.shard_hash) for row in rows]
        changes.append_changes(writable_layouts(), version_keys, entries)
    return Updated(len(matched), len(changed), tuple(refused))


def _changed(
    matched: Mapping[str, LockedDocument], change: MetadataChange
) -> tuple[dict[str, dict[str, Any]], list[RefusedDocument]]:
    """Id -> metadata that differs from what the document has, and the documents that cannot have theirs."""
    changed, refused = {}, []
    for doc_id, row in matched.items():
        try:
            metadata = checked_metadata(change.of(row.metadata), "set")
        except InvalidRequest as error:
            refused.append(RefusedDocument(doc_id, error))
            continue
        if canonical(metadata) != canonical(row.metadata):
            changed[doc_id] = metadata
    return changed, refused
