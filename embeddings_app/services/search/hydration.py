"""Hydration: hits of the index made whole from Postgres, and verified there.

An index may lag. A hit is shown only if its document lives in the namespace, passes the filter by today's metadata, and
answered with the vector that is stored now.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from embedding_project.contracts.filters import Filter, matches
from embedding_project.contracts.hits import Hit
from embedding_project.contracts.metadata import flatten
from embeddings_app.records.reading import HitRow, hydrate


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchHit:
    doc_id: str
    score: float
    metadata: dict[str, Any] | None
    text: str | None
    stale: bool
    """The document has a newer text, whose vector is still being made."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What of a document an answer shows."""

    namespace_key: int
    version_key: int
    filter: Filter | None
    include: frozenset[str]


def verified_hits(hits: Sequence[Hit], shown: Shown) -> list[SearchHit]:
    """The hits that still hold, in order."""
    rows = hydrate(
        shown.namespace_key,
        shown.version_key,
        [hit.document_key for hit in hits],
        with_metadata="metadata" in shown.include or shown.filter is not None,
        with_text="text" in shown.include,
    )
    return [
        _search_hit(hit, rows[hit.document_key], shown)
        for hit in hits
        if hit.document_key in rows and _holds(hit, rows[hit.document_key], shown.filter)
    ]


def _holds(hit: Hit, row: HitRow, filter_: Filter | None) -> bool:
    if row.stored_text_revision != hit.text_revision:
        return False
    return filter_ is None or matches(filter_, flatten(row.metadata or {}))


def _search_hit(hit: Hit, row: HitRow, shown: Shown) -> SearchHit:
    return SearchHit(
        doc_id=row.doc_id,
        score=hit.score,
        metadata=row.metadata if "metadata" in shown.include else None,
        text=row.text or None,
        stale=row.current_text_revision > row.stored_text_revision,
    )
