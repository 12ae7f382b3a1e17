"""Raw values of a file become rows that can be stored, or rejects: the checks are those of the API."""

from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any

import numpy as np

from bulk_ingest.sources.raw import RawBatch, Vectors
from embedding_project.contracts.errors import InvalidRequest
from embedding_project.contracts.keys import content_hash, shard_hash
from embedding_project.contracts.metadata import metadata_and_fields
from embedding_project.contracts.names import checked_doc_id
from embedding_project.contracts.text import checked_text
from embedding_project.contracts.vectors import Vector, checked_vectors, to_bytes, unit_vectors
from embeddings_app.api.strict_json import strict_loads

ClaimFields = Callable[[Sequence[AbstractSet[str]]], list[bool]]
"""Of the metadata fields of each row, whether the namespace has room for them."""


@dataclass(frozen=True, slots=True)
class Row:
    """What becomes a document."""

    number: int
    """In its file."""
    doc_id: str
    text: str
    metadata: dict[str, Any]
    fields: frozenset[str]
    """Of the metadata, as dotted paths."""
    vector: bytes
    """Empty where the text is to be embedded."""
    content_hash: bytes
    shard_hash: int


@dataclass(frozen=True, slots=True)
class Reject:
    """A row that is not loaded, and why; never its text."""

    row: int
    doc_id: str | None
    """None when the fault is in the id."""
    field: str
    code: str


class RowChecker:
    """Of one namespace, whose model takes vectors of `dimension` from the client; 0 for one that embeds the texts."""

    def __init__(self, namespace: str, dimension: int, claim_fields: ClaimFields) -> None:
        self._namespace = namespace
        self._dimension = dimension
        self._claim_fields = claim_fields
        self._known_fields: frozenset[str] = frozenset()
        """Fields that the namespace has; most batches bring no others."""

    def check(self, batch: RawBatch) -> tuple[list[Row], list[Reject]]:
        vectors = _Vectors(batch.vectors, self._dimension)
        rows: list[Row] = []
        rejects: list[Reject] = []
        for place in range(len(batch.doc_ids)):
            doc_id: str | None = None
            try:
                if place in batch.faults:
                    raise InvalidRequest(batch.faults[place], field="")
                doc_id = _required_id(batch.doc_ids[place])
                rows.append(self._row(batch, place, doc_id, vectors))
            except InvalidRequest as error:
                rejects.append(Reject(batch.row_number(place), doc_id, error.field or "", error.code))
        fitting, refused = self._with_room(rows)
        return fitting, rejects + refused

    def _row(self, batch: RawBatch, place: int, doc_id: str, vectors: "_Vectors") -> Row:
        # In the order of the API, so that a row with two faults is rejected for the same one.
        text = batch.texts[place]
        text = "" if text is None else checked_text(text, "text")
        metadata, fields = _metadata(batch.metadata[place])
        if batch.texts[place] is None and not self._dimension:
            raise InvalidRequest("missing_field", field="text")
        data = vectors.checked(place) if self._dimension else b""
        return Row(
            number=batch.row_number(place),
            doc_id=doc_id,
            text=text,
            metadata=metadata,
            fields=fields,
            vector=data,
            content_hash=content_hash(f"{text}\n{data.hex()}" if data else text),
            shard_hash=shard_hash(self._namespace, doc_id),
        )

    def _with_room(self, rows: list[Row]) -> tuple[list[Row], list[Reject]]:
        new = [place for place, row in enumerate(rows) if not row.fields <= self._known_fields]
        if not new:
            return rows, []
        fits = dict(zip(new, self._claim_fields([rows[place].fields for place in new]), strict=True))
        self._known_fields = self._known_fields.union(*(rows[place].fields for place, good in fits.items() if good))
        refused = [place for place, good in fits.items() if not good]
        rejects = [Reject(rows[place].number, rows[place].doc_id, "metadata", "too_many_fields") for place in refused]
        return [row for place, row in enumerate(rows) if fits.get(place, True)], rejects


class _Vectors:
    """The vectors of a batch, checked at once."""

    def __init__(self, values: Vectors, dimension: int) -> None:
        self._values = values
        self._matrix: Vector | None = None
        self._faults: list[str] = []
        self._single: list[Vector | InvalidRequest] = []
        if isinstance(values, np.ndarray) and values.shape[1] == dimension:
            self._matrix, self._faults = unit_vectors(values)
        elif dimension:
            listed = [value.tolist() if isinstance(value, np.ndarray) else value for value in values]
            self._single = checked_vectors(listed, dimension, ["vector"] * len(listed))

    def checked(self, place: int) -> bytes:
        """Raises InvalidRequest."""
        if self._matrix is not None:
            if self._faults[place]:
                raise InvalidRequest(self._faults[place], field="vector")
            return to_bytes(self._matrix[place])
        if self._values[place] is None:
            raise InvalidRequest("vector_required", field="vector")
        found = self._single[place]
        if isinstance(found, InvalidRequest):
            raise found
        return to_bytes(found)


def _required_id(value: object) -> str:
    if value is None:
        raise InvalidRequest("missing_field", field="id")
    return checked_doc_id(value, "id")


def _metadata(value: object) -> tuple[dict[str, Any], frozenset[str]]:
    """Of an object, the pairs of a map, or JSON in a string."""
    if value is None:
        return {}, frozenset()
    if isinstance(value, str):
        value = _parsed(value)
    elif isinstance(value, list):
        value = dict(value)
    elif isinstance(value, dict):
        # A column of structures has every field in every row: a null there says that the row has no such field.
        value = _without_nulls(value)
    return metadata_and_fields(value, "metadata")


def _parsed(value: str) -> Any:
    try:
        return strict_loads(value.encode())
    except UnicodeEncodeError:
        raise InvalidRequest("invalid_text", field="metadata") from None
    except InvalidRequest as error:
        raise InvalidRequest(error.code, field="metadata") from None


def _without_nulls(value: dict[str, Any]) -> dict[str, Any]:
    return {
        key: _without_nulls(item) if isinstance(item, dict) else item for key, item in value.items() if item is not None
    }
