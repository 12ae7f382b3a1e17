"""How far the documents of a namespace have come, in a bounded time however many there are."""

from dataclasses import dataclass
from datetime import datetime

from embeddings_app import registry
from embeddings_app.records import namespace_counts, words
from embeddings_app.records.namespace_counts import COUNT_CAP
from embeddings_app.records.topology import applied_by_all
from embeddings_app.services import namespaces
from embeddings_app.services.topology import topology


@dataclass(frozen=True, slots=True, kw_only=True)
class TextSearchStatus:
    language: str
    """Or `off`."""
    documents: int
    """Documents whose words are kept."""
    complete: bool
    """Otherwise the words of documents that were there before the setting still follow it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NamespaceStatus:
    name: str
    model_id: str
    count: int
    pending: int
    searchable: int
    """Documents that every answering replica has applied."""
    quarantined: int
    count_is_exact: bool
    """Otherwise there is more than was counted."""
    fields: tuple[str, ...]
    """Metadata fields that count for the limit."""
    unused_fields: tuple[str, ...] | None
    """Those of them that no document has, which go when there is no room; None when that takes too long to say."""
    last_write_at: datetime | None
    """When the newest document was written; None without documents, and when there are more than were counted."""
    text_search: TextSearchStatus


def namespace_status(name: str, cap: int = COUNT_CAP) -> NamespaceStatus:
    """Counts of a namespace; no number exceeds `cap`. Raises unknown_namespace."""
    space = namespaces.namespace(name)
    version_key = registry.active_spec(space.model_id).version_key
    current = topology()
    applied = applied_by_all(current.layout, version_key)
    silent = [shard for shard in range(current.shards) if shard not in applied]
    counts, all_documents = namespace_counts.count_first(space.pk, version_key, current.shards, silent, cap)
    pending, quarantined = counts.pending, counts.quarantined
    if not all_documents:
        pending, quarantined = namespace_counts.count_in_state(space.pk, version_key, cap)
    waiting, all_entries = namespace_counts.count_unapplied(space.pk, current.layout, version_key, applied, cap)
    unused = namespaces.unused_fields(space.pk)
    return NamespaceStatus(
        name=space.name,
        model_id=space.model_id,
        count=min(counts.count, cap),
        pending=pending,
        searchable=min(max(counts.indexed - counts.silent - waiting, 0), cap),
        quarantined=quarantined,
        count_is_exact=all_documents and all_entries,
        fields=tuple(space.fields),
        unused_fields=None if unused is None else tuple(sorted(unused)),
        last_write_at=counts.last_write_at if all_documents else None,
        text_search=TextSearchStatus(
            language=space.text_search,
            documents=words.count_documents(space.pk, cap),
            complete=space.words_reached is None,
        ),
    )
