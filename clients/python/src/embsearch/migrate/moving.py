"""What the sources have in common: rows that a load takes, and which text and vector they have."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from embsearch.migrate.carrying import LeftOut, metadata_of, text_at
from embsearch.upload.sources import Source


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What of a source is moved."""

    text: str
    """Where the text stands: a field of the payload, dotted if it lies deeper, or a column."""
    vectors: bool = False
    """Whether vectors go along; else the service embeds the texts again."""
    vector: str | None = None
    """The name of the vector, where a source has several."""
    left_out: LeftOut


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A document of another store."""

    id: str
    text: str | None
    vector: Any
    payload: Mapping[str, Any]


def source_of_rows(rows: Iterable[Row], wanted: Wanted, total: int | None, identity: Mapping[str, Any]) -> Source:
    """`identity`: by which a checkpoint knows that it is the same source; what is wanted of it belongs to that."""
    taken = {"text": wanted.text, "vector": (wanted.vector or True) if wanted.vectors else False}
    return Source(rows=_documents(rows, wanted), total=total, identity={**identity, **taken})


def _documents(rows: Iterable[Row], wanted: Wanted) -> Iterator[dict[str, Any]]:
    for row in rows:
        told: dict[str, Any] = {"id": row.id, "metadata": metadata_of(row.payload, wanted.left_out)}
        if row.text is not None:
            told["text"] = row.text
        if wanted.vectors and row.vector is not None:
            told["vector"] = row.vector
        yield told


def place_of(place: str) -> str:
    """A folder by its whole path: the same words mean another one elsewhere."""
    return str(Path(place).resolve()) if Path(place).is_dir() else place


def with_text(payload: Mapping[str, Any], wanted: Wanted) -> tuple[str | None, dict[str, Any]]:
    return text_at(payload, wanted.text)
