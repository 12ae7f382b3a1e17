"""The texts of a bucket and their vectors, as far as they are computed."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from bulk_ingest.buckets import schema
from bulk_ingest.embedded_texts import Embedded, EmbeddingStopped, GoOn, own_embedder
from bulk_ingest.rows import Reject
from embedding_project.contracts.model_spec import ModelSpec
from embedding_project.contracts.vectors import to_bytes


class VectorsMissing(Exception):
    """Rows are to be written whose vectors are not computed yet."""

    def __init__(self, places: NDArray[np.int64]) -> None:
        self.places = places


class BucketTexts:
    def __init__(self, rows: pa.Table, model: ModelSpec) -> None:
        self._rows = rows
        self._model = model
        self._vectors = np.zeros((rows.num_rows, model.dimension), np.float32)
        self._known = np.zeros(rows.num_rows, dtype=bool)
        self._errors: dict[int, str] = {}
        """Place -> error code."""

    def embed(self, places: NDArray[np.int64], go_on: GoOn, embedded: Embedded) -> bool:
        """Compute the vectors of the rows at these places; False once nobody wants them. Raises ModelUnusable."""
        texts = [text.decode() for text in self._rows["text"].take(pa.array(places)).to_pylist()]
        try:
            found = own_embedder(self._model).embed(texts, go_on, embedded=embedded)
        except EmbeddingStopped:
            return False
        self._vectors[places], self._known[places] = found.vectors, True
        self._errors |= {int(place): code for place, code in zip(places, found.errors, strict=True) if code}
        return True

    def failed(self, needed: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Which of the rows whose vectors are needed have none. Raises VectorsMissing."""
        missing = np.flatnonzero(needed & ~self._known)
        if len(missing):
            raise VectorsMissing(missing)
        failed = np.zeros(len(needed), dtype=bool)
        failed[list(self._errors)] = True
        return failed & needed

    def rows(self) -> pa.Table:
        """The rows with their vectors; what was not needed has zeros."""
        width = 4 * self._vectors.shape[1]
        buffers: list[Any] = [None, pa.py_buffer(to_bytes(self._vectors))]
        vectors = pa.Array.from_buffers(pa.binary(width), self._rows.num_rows, buffers)
        return pa.Table.from_arrays([*self._rows.columns, vectors], schema=schema(self._vectors.shape[1]))

    def rejects(self, which: NDArray[np.bool_], files: Mapping[int, str]) -> Iterator[tuple[str, Reject]]:
        """The input file and the reject of each of these rows."""
        places = np.flatnonzero(which)
        picked = self._rows.select(["file", "row", "doc_id"]).take(pa.array(places)).to_pylist()
        for place, row in zip(places.tolist(), picked, strict=True):
            yield files[row["file"]], Reject(row["row"], row["doc_id"].decode(), "text", self._errors[place])
