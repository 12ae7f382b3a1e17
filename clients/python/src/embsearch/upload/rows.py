"""A row of whatever is loaded, as a document."""

import json
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from embsearch.documents import Document

Converters = Mapping[str, Callable[[Any], Any] | None]


class BadRow(ValueError):
    """A row is no document."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """Where a document stands in a row."""

    id: str
    text: str
    vector: str
    metadata: Converters | None
    """Column -> what makes its value of it, None: as it is. None instead of all: the object in the column `metadata`
    where there is one, else every other column."""

    def document(self, row: object) -> Document:
        """Raises BadRow."""
        if isinstance(row, Document):
            return row
        if isinstance(row, BadRow):
            raise row
        if not isinstance(row, Mapping):
            raise BadRow(f"a row must be a Document or a mapping, not {type(row).__name__}")
        if _plain(row.get(self.id)) is None:
            raise BadRow(f"there is no {self.id!r} in the row, only {', '.join(map(str, row)) or 'nothing'}")
        return Document(
            id=str(_plain(row[self.id])),
            text=_text(row, self.text),
            metadata=self._metadata(row),
            vector=row.get(self.vector),
        )

    def _metadata(self, row: Mapping[str, Any]) -> dict[str, Any]:
        if self.metadata is not None:
            chosen = {name: _converted(row.get(name), name, make) for name, make in self.metadata.items()}
        elif isinstance(whole := _object(row.get("metadata")), Mapping):
            chosen = dict(whole)
        else:
            taken = (self.id, self.text, self.vector)
            chosen = {name: _plain(value) for name, value in row.items() if name not in taken}
        return {name: value for name, value in chosen.items() if value is not None}


def converters(metadata: Iterable[str] | Converters | None) -> Converters | None:
    if metadata is None or isinstance(metadata, Mapping):
        return metadata
    return dict.fromkeys(metadata)


def _text(row: Mapping[str, Any], name: str) -> str | None:
    value = _plain(row.get(name))
    if value is not None and not isinstance(value, str):
        raise BadRow(f"{name!r} is no text but {type(value).__name__}")
    return value


def _converted(value: object, name: str, make: Callable[[Any], Any] | None) -> Any:
    """An empty cell of a CSV file has no value, unless it is to stay as it is."""
    plain = _plain(value)
    if make is None or plain is None:
        return plain
    if plain == "":
        return None
    try:
        return make(plain)
    except Exception as error:
        # What a caller's function raises for a value that it does not expect may be anything.
        raise BadRow(f"{name!r}: {type(error).__name__}: {error}") from error


def _object(value: object) -> object:
    """A cell of text may hold an object as JSON."""
    if isinstance(value, str) and value.startswith("{"):
        try:
            return json.loads(value)
        except (ValueError, RecursionError):
            return value
    return value


def _plain(value: object) -> Any:
    """The value as JSON has it, of numpy's and pandas' types too. What stands for nothing there is None."""
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return None
    if hasattr(value, "tolist"):  # a scalar or an array of numpy
        value = value.tolist()
    if isinstance(value, float) and math.isnan(value):
        return None
    return value.isoformat() if isinstance(value, date) else value
