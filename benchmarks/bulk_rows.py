"""A Parquet file of rows with vectors for bulk jobs, in no order, as other programs leave them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks import corpus
from benchmarks.corpus import Matrix

_ROWS_PER_GROUP = 20_000


def vector_of(doc_id: str) -> int:
    """The number of the vector that the row with this id has."""
    return int(doc_id.rpartition("/")[2])


def write_rows(
    path: Path, vectors: Matrix, more: Callable[[int], dict[str, Any]] = lambda _: {}, *, prefix: str = "bulk"
) -> Path:
    """A row for each vector, with text and metadata of known documents, and `more` metadata for its number. Ids begin
    with `prefix`."""
    known = corpus.documents()
    order = np.random.default_rng(1).permutation(len(vectors))
    kind = pa.list_(pa.float32(), corpus.DIMENSION)
    schema = pa.schema([("id", pa.string()), ("text", pa.string()), ("metadata", pa.string()), ("vector", kind)])
    with pq.ParquetWriter(path, schema) as writer:
        for start in range(0, len(vectors), _ROWS_PER_GROUP):
            numbers = order[start : start + _ROWS_PER_GROUP].tolist()
            rows = [known[number % len(known)] for number in numbers]
            metadata = [{**row.metadata, **more(number)} for number, row in zip(numbers, rows, strict=True)]
            columns = [
                pa.array([f"{prefix}/{number:09d}" for number in numbers]),
                pa.array([row.text for row in rows]),
                pa.array([orjson.dumps(one).decode() for one in metadata]),
                pa.FixedSizeListArray.from_arrays(pa.array(vectors[numbers].reshape(-1)), corpus.DIMENSION),
            ]
            writer.write_table(pa.table(columns, schema=schema))
    return path
