"""Documents of a namespace by a filter on their metadata: listed, counted, and their values counted.

All of it walks the documents in Postgres, so it is exact and needs no index; what takes longer than the time given to
one request says how far it has come. Counts that one window of a walk does not finish ask the index first.
"""

import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from embedding_project.contracts.census import Value
from embedding_project.contracts.errors import InvalidRequest
from embedding_project.contracts.filters import Filter, matches
from embedding_project.contracts.metadata import flatten
from embeddings_app.records.document_walk import WINDOW_ROWS, Walk
from embeddings_app.services import namespaces
from embeddings_app.services.documents.cursors import Cursor
from embeddings_app.services.documents.index_census import index_census
from embeddings_app.services.documents.reading import DocumentView, read_documents

LISTING_SECONDS = 1.0
"""Then a page is answered with what was found."""
COUNTING_SECONDS = 2.0
MOST_DISTINCT_VALUES = 100_000
Clock = Callable[[], float]


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentPage:
    documents: tuple[DocumentView, ...]
    after: Cursor | None
    """Where the next page begins; None at the end."""


@dataclass(frozen=True, slots=True)
class Count:
    count: int
    is_exact: bool
    """Otherwise there are at least as many."""


@dataclass(frozen=True, slots=True)
class Facet:
    values: tuple[tuple[Value, int], ...]
    """Value and number of its documents, the most frequent first."""
    is_exact: bool
    """Otherwise there are at least as many, and values may be missing."""


def list_documents(
    namespace: str,
    filter_: Filter | None,
    *,
    limit: int,
    after: Cursor | None = None,
    descending: bool = False,
    with_vector: bool = False,
    clock: Clock = time.monotonic,
    window: int = WINDOW_ROWS,
) -> DocumentPage:
    """The next `limit` documents that pass, in the order of their ids; fewer when the time is over. Raises
    unknown_namespace, InvalidRequest for a cursor of another listing."""
    space = namespaces.namespace(namespace)
    if after is not None and after.descending != descending:
        raise InvalidRequest("invalid_value", "the cursor belongs to a listing in the other order", field="cursor")
    walk, until = Walk(space.pk, filter_, descending, window), clock() + LISTING_SECONDS
    found: list[str] = []
    last = after.doc_id if after else None
    while True:
        step = walk.step(last, limit - len(found))
        found += [one.doc_id for one in step.passed]
        last = step.last
        if last is None or len(found) == limit or clock() >= until:
            break
    # What was written since then may pass no longer.
    views = read_documents(namespace, found, with_vector)
    documents = tuple(view for view in views if filter_ is None or matches(filter_, flatten(view.metadata)))
    return DocumentPage(documents=documents, after=None if last is None else Cursor(last, descending))


def count_documents(
    namespace: str, filter_: Filter | None, clock: Clock = time.monotonic, window: int = WINDOW_ROWS
) -> Count:
    """How many documents pass, counted for two seconds at most. Raises unknown_namespace."""
    space, until = namespaces.namespace(namespace), clock() + COUNTING_SECONDS
    walk = Walk(space.pk, filter_, window=window)
    counted = walk.count(None)
    total, last = counted.count, counted.last
    if last is not None and (census := index_census(space, filter_, "", until)):
        return Count(census.count, is_exact=True)
    while last is not None and clock() < until:
        counted = walk.count(last)
        total, last = total + counted.count, counted.last
    return Count(total, is_exact=last is None)


def count_values(
    namespace: str,
    path: str,
    filter_: Filter | None,
    limit: int,
    clock: Clock = time.monotonic,
    window: int = WINDOW_ROWS,
) -> Facet:
    """The most frequent values at a dotted path, with the number of their documents, counted for two seconds at most.
    Raises unknown_namespace."""
    space, until = namespaces.namespace(namespace), clock() + COUNTING_SECONDS
    walk, whole = Walk(space.pk, filter_, window=window), True
    counts, last = walk.values(None, path)
    if last is not None and (census := index_census(space, filter_, path, until)):
        return Facet(_most_frequent(census.values, limit), is_exact=True)
    while last is not None and clock() < until:
        found, last = walk.values(last, path)
        counts.update(found)
        if len(counts) > MOST_DISTINCT_VALUES:
            # What is rare so far is left out, and the answer says that it is not exact.
            counts, whole = Counter(dict(counts.most_common(MOST_DISTINCT_VALUES // 2))), False
    return Facet(_most_frequent(counts, limit), is_exact=whole and last is None)


def _most_frequent(counts: Mapping[tuple[str, Value], int], limit: int) -> tuple[tuple[Value, int], ...]:
    best = sorted(counts.items(), key=lambda item: (-item[1], item[0][0], item[0][1]))[:limit]
    return tuple((value, number) for (_, value), number in best)
