"""Pieces of texts around the words of a query, with the places of these words."""

from collections.abc import Sequence
from dataclasses import dataclass

from embeddings_app.records.sql import rows
from embeddings_app.records.words import SIGNS, plain

_OPEN, _CLOSE, _CUT = "\ufdd0", "\ufdd1", "\ufdd2"
"""Code points that Unicode keeps free of any meaning. No plain text holds them."""
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
        SELECT doc_id, text, ts_headline(%s::regconfig, regexp_replace(text, %s, ' ', 'g'), %s::tsquery, %s)
        FROM document WHERE namespace_id = %s AND doc_id = ANY(%s) AND NOT deleted
        """,
        [f"pg_catalog.{language}", SIGNS, query, _OPTIONS, namespace_key, list(doc_ids)],
    )
    return {doc_id: _pieces(text, shown) for doc_id, text, shown in found}


def _pieces(text: str, shown: str) -> tuple[Piece, ...]:
    """As they stand in the text, of which Postgres has seen the words alone, each where it is."""
    words = plain(text)
    return tuple(_in_text(text, words, _piece(part)) for part in shown.split(_CUT) if part.strip())


def _in_text(text: str, words: str, piece: Piece) -> Piece:
    begin = words.find(piece.text)
    # Postgres leaves words of more than 2,047 bytes out of pieces; such a piece stands nowhere.
    return piece if begin < 0 else Piece(text[begin : begin + len(piece.text)], piece.marks)


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
