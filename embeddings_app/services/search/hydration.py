"""Hydration: hits of the index made whole from Postgres, and verified there.

An index may lag. A hit is shown only if its document lives in the namespace, passes the filter by today's metadata, and
answered with the vector that is stored now.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from embedding_project.contracts.filters import Filter, matches
from embedding_project.contracts.hits import Hit, ShardHits, merge_hits
from embedding_project.contracts.metadata import flatten
from embedding_project.contracts.vectors import Vector, from_bytes
from embeddings_app.records.highlights import Piece
from embeddings_app.records.reading import HitRow, hydrate
from embeddings_app.services.search.rescoring import exactly_scored


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchHit:
    doc_id: str
    score: float
    metadata: dict[str, Any] | None
    text: str | None
    vector: Vector | None
    """Shape (d,), of unit length."""
    stale: bool
    """The document has a newer text, whose vector is still being made."""
    ranks: Mapping[str, int] | None = None
    """Of a search by words and meaning: its place in each of the two that found it."""
    highlights: tuple[Piece, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What of a document an answer shows."""

    namespace_key: int
    version_key: int
    filter: Filter | None
    include: frozenset[str]
    rounded: bool = False
    """Whether the graphs hold rounded vectors, so that scores are made from those that Postgres has."""


@dataclass(frozen=True, slots=True)
class Merged:
    """What the shards found for one search."""

    shards: Sequence[ShardHits]
    fetch: int
    """How many of the best hits to look at."""
    shown: Shown
    query: Vector


def verified_hits(searches: Sequence[Merged]) -> list[list[SearchHit]]:
    """For each search the hits that still hold, best first; one statement for all searches that show as much."""
    merged = [merge_hits(search.shards, search.fetch) for search in searches]
    keys = defaultdict[_Columns, set[int]](set)
    for search, hits in zip(searches, merged, strict=True):
        keys[_columns(search.shown)].update(hit.document_key for hit in hits)
    rows = {columns: hydrate(columns.version_key, wanted, **columns.asked) for columns, wanted in keys.items()}
    return [
        _verified(hits, rows[_columns(search.shown)], search) for search, hits in zip(searches, merged, strict=True)
    ]


class _Columns(NamedTuple):
    """What of its documents a search needs; searches that agree share a statement."""

    version_key: int
    with_metadata: bool
    with_text: bool
    with_vector: bool

    @property
    def asked(self) -> dict[str, bool]:
        return {"with_metadata": self.with_metadata, "with_text": self.with_text, "with_vector": self.with_vector}


def _columns(shown: Shown) -> _Columns:
    with_metadata = "metadata" in shown.include or shown.filter is not None
    with_vector = "vector" in shown.include or shown.rounded
    return _Columns(shown.version_key, with_metadata, "text" in shown.include, with_vector)


def _verified(hits: Sequence[Hit], rows: Mapping[int, HitRow], search: Merged) -> list[SearchHit]:
    shown = search.shown
    held = [hit for hit in hits if (row := rows.get(hit.document_key)) and _holds(hit, row, shown)]
    if shown.rounded:
        vectors = {key: row.vector for key, row in rows.items() if row.vector is not None}
        held = exactly_scored(search.query, held, vectors)
    return [_search_hit(hit, rows[hit.document_key], shown, search.query) for hit in held]


def _holds(hit: Hit, row: HitRow, shown: Shown) -> bool:
    if row.namespace_key != shown.namespace_key or row.stored_text_revision != hit.text_revision:
        return False
    return shown.filter is None or matches(shown.filter, flatten(row.metadata or {}))


def _search_hit(hit: Hit, row: HitRow, shown: Shown, query: Vector) -> SearchHit:
    return SearchHit(
        doc_id=row.doc_id,
        score=hit.score,
        metadata=row.metadata if "metadata" in shown.include else None,
        text=row.text or None,
        vector=from_bytes(row.vector, len(query))[0] if row.vector is not None and "vector" in shown.include else None,
        stale=row.current_text_revision > row.stored_text_revision,
    )
