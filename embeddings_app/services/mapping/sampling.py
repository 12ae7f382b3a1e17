"""A sample of the documents that pass a filter: the same one as long as they are the same.

Every document has a fixed place in a shuffled order, and those that come first in it are taken. So a sample changes
little when few documents come and go.
"""

import heapq
from dataclasses import dataclass

from embedding_project.contracts.filters import Filter
from embeddings_app.records.document_walk import WINDOW_ROWS, Walk
from embeddings_app.services.documents.listing import COUNTING_SECONDS, Clock


@dataclass(frozen=True, slots=True)
class Sample:
    keys: tuple[int, ...]
    is_whole: bool
    """Every document that passes is in it."""


def sample_documents(
    namespace_key: int, filter_: Filter | None, most: int, clock: Clock, window: int = WINDOW_ROWS
) -> Sample:
    """At most `most` documents that pass, of those that two seconds suffice to look at."""
    walk, until = Walk(namespace_key, filter_, window=window), clock() + COUNTING_SECONDS
    drawn: list[tuple[int, int]] = []
    passed, last = 0, None
    while True:
        found = walk.draw(last, most)
        passed, last = passed + found.passed, found.last
        drawn = heapq.nsmallest(most, [*drawn, *found.drawn])
        if last is None or clock() >= until:
            return Sample(tuple(key for _, key in drawn), is_whole=last is None and passed <= most)
