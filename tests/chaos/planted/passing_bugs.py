"""Bugs of documents that go by filter or with their namespace, are listed, and are written and found meanwhile."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from time import sleep
from typing import Any

from planted_change import put

Change = Callable[[Any], None]


def _sweep_what_was_listed(by_filter: Any) -> None:
    """A delete by filter takes what passed when it was listed, whatever it is when it is locked."""
    delete_many = by_filter.delete_many

    def late(space: Any, doc_ids: Any, filter_: Any = None, once: Any = None) -> Any:
        sleep(0.3)
        return delete_many(space, doc_ids, None, once)

    put(by_filter, "delete_many", late)


def _leave_the_last(name: str) -> Change:
    """A change by filter leaves out the last document of each chunk."""

    def change(by_filter: Any) -> None:
        whole = getattr(by_filter, name)
        put(by_filter, name, lambda space, doc_ids, *more: whole(space, doc_ids[:-1], *more))

    return change


def _drop_silently(namespace_changes: Any) -> None:
    """A drop is answered before all processes have heard of it."""
    put(namespace_changes, "FRESH_SECONDS", 0.0)


def _skip_between_pages(listing: Any) -> None:
    """A page looks for one document more than it shows, and the next page begins behind that one."""
    list_documents = listing.list_documents

    def skipping(*place: Any, limit: int, **more: Any) -> Any:
        page = list_documents(*place, limit=limit + 1, **more)
        return replace(page, documents=page.documents[:limit])

    put(listing, "list_documents", skipping)


def _ignore_conditions(upserting: Any) -> None:
    """A write on condition is done at any revision."""
    put(upserting, "_at_their_revisions", lambda namespace_key, request, left: list(left))


def _mix_batches(batch: Any) -> None:
    """Searches of a batch get the answers of each other."""
    search_many = batch.search_many
    put(batch, "search_many", lambda requests: search_many(requests)[::-1])


def _keep_old_words(words: Any) -> None:
    """A text that is written again leaves the words of the one before."""
    write_words = words.write_words

    def once(namespace_key: int, document_keys: Any) -> Any:
        query = "SELECT document_id FROM document_words WHERE document_id = ANY(%s)"
        known = {key for (key,) in words.rows(query, [list(document_keys)])}
        return write_words(namespace_key, [key for key in document_keys if key not in known])

    put(words, "write_words", once)


PASSING_BUGS: Mapping[str, Mapping[str, Change]] = {
    "sweep-unlocked": {"embeddings_app.services.documents.by_filter": _sweep_what_was_listed},
    "sweep-ends-early": {"embeddings_app.services.documents.by_filter": _leave_the_last("delete_many")},
    "drop-not-heard": {"embeddings_app.services.documents.namespace_changes": _drop_silently},
    "listing-skips": {"embeddings_app.services.documents.listing": _skip_between_pages},
    "update-ends-early": {"embeddings_app.services.documents.by_filter": _leave_the_last("update_many")},
    "condition-ignored": {"embeddings_app.services.documents.upserting": _ignore_conditions},
    "batch-mixed": {"embeddings_app.services.search.batch": _mix_batches},
    "old-words-kept": {"embeddings_app.records.words": _keep_old_words},
}
