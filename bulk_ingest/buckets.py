"""Rows spread to buckets of neighbouring ids, and a bucket read back in the order of its ids.

A spread file holds some thousand rows of one input file as Arrow IPC: one record batch for each bucket that has rows
among them. Postgres compares ids byte by byte, and so do the splitters.
"""

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.compute as pc

from bulk_ingest.durable import replaced
from bulk_ingest.rows import Row

SPREAD_ROWS = 65_536
"""Of one spread file, at most."""
SPREAD_BYTES = 128 << 20
"""Of the texts and vectors of one spread file, about; in memory they take three times as much."""
_FOLDER = "spread"


@dataclass(frozen=True, slots=True)
class SpreadFile:
    """One spread file, and how many rows of each bucket it has, in the order of its batches."""

    name: str
    rows: Mapping[int, int]
    """Bucket -> rows, in rising order."""

    def to_wire(self) -> dict[str, Any]:
        return {"name": self.name, "rows": list(self.rows.items())}

    @classmethod
    def from_wire(cls, wire: Mapping[str, Any]) -> "SpreadFile":
        return cls(wire["name"], {int(bucket): int(count) for bucket, count in wire["rows"]})


def splitters_of(ids: Sequence[str], buckets: int) -> list[str]:
    """The first ids of all buckets but the first, so that each has about as many of the ids."""
    ordered = sorted({doc_id.encode() for doc_id in ids})
    places = {round(place * len(ordered) / buckets) for place in range(1, buckets)}
    return [ordered[place].decode() for place in sorted(places) if 0 < place < len(ordered)]


def schema(dimension: int) -> pa.Schema:
    """Of rows with vectors; of texts that are to be embedded, which have none, with dimension 0."""
    vector = [("vector", pa.binary(4 * dimension))] if dimension else []
    return pa.schema(
        [
            ("file", pa.int32()),
            ("row", pa.int64()),
            ("doc_id", pa.binary()),
            ("text", pa.binary()),
            ("metadata", pa.binary()),
            ("content_hash", pa.binary(32)),
            ("shard_hash", pa.int32()),
            *vector,
        ]
    )


def bucket_numbers(rows: Sequence[Row], splitters: Sequence[str]) -> list[int]:
    """Of each row, in which bucket its id lies."""
    cuts = [splitter.encode() for splitter in splitters]
    return [bisect_right(cuts, row.doc_id.encode()) for row in rows]


def counted(batches: Iterable[Sequence[Row]], splitters: Sequence[str]) -> list[SpreadFile]:
    """How many rows of each bucket there are, for who reads them again: as a spread file that is not written."""
    counts: Counter[int] = Counter()
    for rows in batches:
        counts.update(bucket_numbers(rows, splitters))
    return [SpreadFile("", dict(sorted(counts.items())))]


class Spreader:
    """Spreads the rows of one input file."""

    def __init__(self, folder: Path, file_number: int, splitters: Sequence[str], dimension: int) -> None:
        self._folder = folder
        self._number = file_number
        self._splitters = splitters
        self._schema = schema(dimension)

    def spread(
        self, batches: Iterable[Sequence[Row]], most_rows: int = SPREAD_ROWS, most_bytes: int = SPREAD_BYTES
    ) -> list[SpreadFile]:
        """Write all rows; gives the files, which replace those of an earlier try. Raises OSError."""
        files: list[SpreadFile] = []
        waiting: list[Row] = []
        size = 0
        for row in chain.from_iterable(batches):
            waiting.append(row)
            size += len(row.text) + len(row.vector)
            if len(waiting) >= most_rows or size >= most_bytes:
                files.append(self._write(len(files), waiting))
                waiting, size = [], 0
        if waiting:
            files.append(self._write(len(files), waiting))
        return files

    def _write(self, piece: int, rows: Sequence[Row]) -> SpreadFile:
        name = f"{self._number:06d}-{piece:06d}.arrow"
        numbers = bucket_numbers(rows, self._splitters)
        counts = dict(sorted(Counter(numbers).items()))
        order = sorted(range(len(rows)), key=numbers.__getitem__)
        table = record_batch(self._number, [rows[place] for place in order], self._schema)
        with replaced(self._folder / _FOLDER / name) as file, pa.ipc.new_file(file, self._schema) as writer:
            start = 0
            for count in counts.values():
                writer.write_batch(table.slice(start, count))
                start += count
        return SpreadFile(name, counts)


def record_batch(file_number: int, rows: Sequence[Row], kind: pa.Schema) -> pa.RecordBatch:
    """Rows of one file; `kind` is a `schema`."""
    given = [field.type for field in kind if field.name == "vector"]
    return pa.RecordBatch.from_arrays(
        [
            pa.array([file_number] * len(rows), pa.int32()),
            pa.array([row.number for row in rows], pa.int64()),
            pa.array([row.doc_id.encode() for row in rows], pa.binary()),
            pa.array([row.text.encode() for row in rows], pa.binary()),
            pa.array([_json(row.metadata) for row in rows], pa.binary()),
            pa.array([row.content_hash for row in rows], pa.binary(32)),
            pa.array([row.shard_hash for row in rows], pa.int32()),
            *(pa.array([row.vector for row in rows], kind) for kind in given),
        ],
        schema=kind,
    )


def _json(metadata: Mapping[str, Any]) -> bytes:
    return orjson.dumps(metadata) if metadata else b"{}"


@dataclass(frozen=True, slots=True)
class Bucket:
    """The rows of a bucket in the order of their ids, each id once."""

    rows: pa.Table
    duplicates: int
    """Rows left out because a later row of the input has their id."""


def read_bucket(folder: Path, number: int, files: Iterable[SpreadFile], dimension: int) -> Bucket:
    """All rows of a bucket, from the spread files in the order of the input. The last of equal ids wins. Raises OSError
    and pyarrow.ArrowException."""
    batches = list(_batches(folder / _FOLDER, number, files))
    table = pa.Table.from_batches(batches, schema(dimension))
    order = pc.sort_indices(table, sort_keys=[(name, "ascending") for name in ("doc_id", "file", "row")])
    return last_of_each(table.take(order))


def last_of_each(table: pa.Table) -> Bucket:
    """Of rows in the order of their ids, files and numbers, the last one of each id."""
    table = table.combine_chunks()
    if table.num_rows < 2:
        return Bucket(table, 0)
    ids = table["doc_id"].combine_chunks()
    differs = pc.not_equal(ids.slice(0, len(ids) - 1), ids.slice(1))
    last = table.filter(pa.concat_arrays([differs, pa.array([True])]))
    return Bucket(last.combine_chunks(), table.num_rows - last.num_rows)


def _batches(folder: Path, number: int, files: Iterable[SpreadFile]) -> Iterator[pa.RecordBatch]:
    for file in files:
        if number not in file.rows:
            continue
        with pa.memory_map(str(folder / file.name)) as source:
            yield pa.ipc.open_file(source).get_batch(list(file.rows).index(number))
