"""Deletes and updates of all documents that pass a filter, a chunk of them in each transaction.

Each chunk is exact: a document is changed only if it passes while it is locked. What a chunk has done stays done, so a
request that is cut off is simply sent again.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from embedding_project.contracts.filters import Filter
from embeddings_app.records.document_walk import Walk
from embeddings_app.services import namespaces
from embeddings_app.services.documents.cursors import Cursor
from embeddings_app.services.documents.deleting import delete_many
from embeddings_app.services.documents.outcomes import RefusedDocument
from embeddings_app.services.documents.updating import MetadataChange, update_many

CHUNK_DOCUMENTS = 256
"""Of one transaction. With 64, a document cost this process twice as much (66 and 140 us)."""
FOUND_AT_ONCE = 1_000
"""Documents that one read finds: it looks at thousands, however few of them it is asked for."""
REQUEST_SECONDS = 5.0
"""Then the answer says how far it has come."""
MOST_REFUSED = 100
"""Documents with faults after which a request goes no further."""
Clock = Callable[[], float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """What one request has done."""

    matched: int
    changed: int
    """Deleted, or with other metadata than before."""
    refused: tuple[RefusedDocument, ...] = ()
    after: Cursor | None = None
    """Where to go on; None when there is nothing left."""


def delete_matching(
    namespace: str,
    filter_: Filter | None,
    after: Cursor | None,
    clock: Clock = time.monotonic,
    chunk: int = CHUNK_DOCUMENTS,
) -> Progress:
    """Delete every document that passes, for some seconds. Raises unknown_namespace."""
    space = namespaces.namespace(namespace)

    def delete_chunk(doc_ids: Sequence[str]) -> Progress:
        gone = delete_many(space, doc_ids, filter_)
        return Progress(matched=gone, changed=gone)

    return _each_chunk(Walk(space.pk, filter_), after, delete_chunk, clock, chunk)


def update_matching(
    namespace: str,
    filter_: Filter | None,
    change: MetadataChange,
    after: Cursor | None,
    clock: Clock = time.monotonic,
) -> Progress:
    """Change the metadata of every document that passes, for some seconds. Raises unknown_namespace,
    too_many_fields."""
    space = namespaces.namespace(namespace)

    def update_chunk(doc_ids: Sequence[str]) -> Progress:
        done = update_many(space, doc_ids, change, filter_)
        return Progress(matched=done.matched, changed=done.changed, refused=done.refused)

    return _each_chunk(Walk(space.pk, filter_), after, update_chunk, clock, CHUNK_DOCUMENTS)


def _each_chunk(
    walk: Walk, after: Cursor | None, work: Callable[[Sequence[str]], Progress], clock: Clock, chunk: int
) -> Progress:
    until = clock() + REQUEST_SECONDS
    matched = changed = 0
    refused: list[RefusedDocument] = []
    for doc_ids, last in _chunks(walk, after.doc_id if after else None, chunk):
        if doc_ids:
            done = work(doc_ids)
            matched, changed = matched + done.matched, changed + done.changed
            refused += done.refused
        if last is None or clock() >= until or len(refused) >= MOST_REFUSED:
            break
    return Progress(
        matched=matched,
        changed=changed,
        refused=tuple(refused),
        after=None if last is None else Cursor(last, descending=False),
    )


def _chunks(walk: Walk, last: str | None, chunk: int) -> Iterator[tuple[list[str], str | None]]:
    """Documents that pass, and the id up to which the walk has come with them; None with the last of them."""
    while True:
        window = walk.step(last, max(chunk, FOUND_AT_ONCE))
        passed = [one.doc_id for one in window.passed]
        # The last chunk of a window leads to its end; a window in which none passes is a chunk of none.
        starts = range(0, len(passed), chunk) or range(1)
        for start in starts:
            doc_ids = passed[start : start + chunk]
            yield doc_ids, window.last if start == starts[-1] else doc_ids[-1]
        last = window.last
        if last is None:
            return
