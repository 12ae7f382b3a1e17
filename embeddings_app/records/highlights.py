"""Pieces of texts around the words of a query, with the places of these words."""

from collections.abc import Sequence
from dataclasses import dataclass

from embeddings_app.records.sql import rows

_OPEN, _CLOSE, _CUT = "\ufdd0", "\ufdd1", "\ufdd2"
"""Code points that Unicode keeps free of any meaning. A text that holds them loses them here."""
_OPTIONS = (
    f'StartSel="{_OPEN}", StopSel="{_CLOSE}", FragmentDelimiter="{_CUT}", MaxFragments=2, MaxWords=30, MinWords=10'
)


@dataclass(frozen=True, slots=True)
class Piece:
    text: str
    marks: tuple[tuple[int, int], ...]
    """Begin and end of each word, in characters."""


def pieces(namespace_key: int, language: str, query: str, doc_ids: Sequence[str]) -> dict[str, tuple[Piece, ...]]:
    """Id -> pieces of the text; `query` is one of Postgres."""
    found = rows(
        """
        SELECT doc_id, ts_headline(%s::regconfig, translate(text, %s, ''), %s::tsquery, %s) FROM document
        WHERE namespace_id = %s AND doc_id = ANY(%s) AND NOT deleted
        """,
        [f"pg_catalog.{language}", f"{_OPEN}{_CLOSE}{_CUT}", query, _OPTIONS, namespace_key, list(doc_ids)],
    )
    return {doc_id: tuple(_piece(part) for part in shown.split(_CUT) if part.strip()) for doc_id, shown in found}


def _piece(marked: str) -> Piece:
    text, marks = "", list[tuple[int, int]]()
    for place, part in enumerate(marked.split(_OPEN)):
        if place == 0:
            text += part
            continue
        word, _, rest = part.partition(_CLOSE)
        marks.append((len(text), len(text) + len(word)))
        text += word + rest
    return Piece(text, tuple(marks))
