"""The collections of an index as files: one npy file per kind of number, with all collections one after another.

`outline.jsonl` has a line per collection that says which part of each file belongs to it. Values of metadata are in
`values.jsonl`, a few hundred a line, so that no single call holds the interpreter for long. Graphs are files of Faiss.
"""

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from index_nodes.collection_state import CollectionState, ColumnState, GraphFile, SegmentState, SlotState
from index_nodes.snapshot_files import FileFacts, HashedFile, link_or_copy, no_link

Array = NDArray[Any]
OUTLINE = "outline.jsonl"
VALUES = "values.jsonl"
_VALUES_A_LINE = 500


class _Kind(NamedTuple):
    dtype: str
    row: tuple[int, ...] | None = ()
    """Shape of a row; None for a vector of the index's dimension."""

    def row_shape(self, dimension: int) -> tuple[int, ...]:
        return (dimension,) if self.row is None else self.row


_KINDS: Mapping[str, _Kind] = {
    "document_keys": _Kind("<i8"),
    "revisions": _Kind("<i4"),
    "text_revisions": _Kind("<i4"),
    "stamps": _Kind("<i8"),
    "tombstones": _Kind("<i8", (3,)),
    "codes": _Kind("<i4"),
    "row_slots": _Kind("<i4"),
    "row_stamps": _Kind("<i8"),
    "vectors": _Kind("<f4", None),
}
_SLOT_ARRAYS = ("document_keys", "revisions", "text_revisions", "stamps")


def graph_name(namespace_key: int, serial: int) -> str:
    return f"graph-{namespace_key:d}-{serial:d}.faiss"


def is_graph(name: str) -> bool:
    return name.endswith(".faiss")


def array_bytes(states: Mapping[int, CollectionState]) -> int:
    """About how many bytes the arrays will take."""
    return sum(part.nbytes for state in states.values() for parts in _arrays(state).values() for part in parts)


def write_contents(folder: Path, dimension: int, states: Mapping[int, CollectionState]) -> dict[str, FileFacts]:
    """Write all files but the graphs; returns the facts of each file by name. Raises OSError."""
    arrays = [_arrays(state) for state in states.values()]
    written = {}
    for name, kind in _KINDS.items():
        parts = [part for collection in arrays for part in collection[name]]
        file_name = f"{name}.npy"
        written[file_name] = _write_arrays(folder / file_name, kind.dtype, kind.row_shape(dimension), parts)
    with HashedFile(folder / OUTLINE) as file:
        for namespace_key, state in states.items():
            file.write(_line(_outline(namespace_key, state)))
    written[OUTLINE] = file.facts
    with HashedFile(folder / VALUES) as file:
        for state in states.values():
            for values in (column.values for column in state.columns.values()):
                for start in range(0, len(values), _VALUES_A_LINE):
                    file.write(_line(values[start : start + _VALUES_A_LINE]))
    written[VALUES] = file.facts
    return written


def read_contents(folder: Path, dimension: int, graphs: Path) -> dict[int, CollectionState]:
    """The collections by namespace. Their graph files get second names in `graphs`, since builds remove graph files.
    Raises OSError, or ValueError, TypeError or LookupError when the files contradict one another."""
    reader = _Reader(folder, dimension, graphs)
    with (folder / OUTLINE).open(encoding="utf-8") as lines:
        states = dict(reader.collection(json.loads(line)) for line in lines)
    reader.check_end()
    return states


class _Reader:
    """Takes the parts of each file in the order in which they were written."""

    def __init__(self, folder: Path, dimension: int, graphs: Path) -> None:
        self._folder = folder
        self._graphs = graphs
        self._arrays = {
            name: _read_array(folder / f"{name}.npy", kind.dtype, kind.row_shape(dimension))
            for name, kind in _KINDS.items()
        }
        self._taken = dict.fromkeys(_KINDS, 0)
        self._values = _read_values(folder / VALUES)

    def collection(self, outline: Mapping[str, Any]) -> tuple[int, CollectionState]:
        slots = {name: self._take(name, outline["slots"]) for name in _SLOT_ARRAYS}
        graves = self._take("tombstones", outline["tombstones"]).tolist()
        columns = {
            path: ColumnState(codes=self._take("codes", outline["slots"]), values=self._take_values(count))
            for path, count in outline["columns"]
        }
        namespace_key = outline["namespace"]
        state = CollectionState(
            slots=SlotState(**slots, tombstones=[(key, (revision, text)) for key, revision, text in graves]),
            columns=columns,
            segments=tuple(self._segment(namespace_key, segment) for segment in outline["segments"]),
            fresh=outline["fresh"],
            next_serial=outline["next_serial"],
            next_stamp=outline["next_stamp"],
            documents=outline["documents"],
            digest=outline["digest"],
        )
        return namespace_key, state

    def check_end(self) -> None:
        """Raises ValueError when a file has more than the collections took."""
        if any(len(self._arrays[kind]) != taken for kind, taken in self._taken.items()):
            raise ValueError("an array belongs to no collection")
        if next(self._values, None) is not None:
            raise ValueError("values belong to no collection")

    def _segment(self, namespace_key: int, outline: Mapping[str, Any]) -> SegmentState:
        serial, rows = outline["serial"], outline["rows"]
        graph = None
        if outline["sha256"]:
            name = graph_name(namespace_key, serial)
            graph = GraphFile(path=self._graphs / name, sha256=outline["sha256"])
            link_or_copy(self._folder / name, graph.path)
        return SegmentState(
            serial=serial,
            slots=self._take("row_slots", rows),
            stamps=self._take("row_stamps", rows),
            vectors=None if graph else self._take("vectors", rows),
            graph=graph,
        )

    def _take(self, kind: str, count: int) -> Array:
        start = self._taken[kind]
        part = self._arrays[kind][start : start + count]
        if count < 0 or len(part) != count:
            raise ValueError("an array is shorter than its collections")
        self._taken[kind] += count
        # A copy, so that no collection keeps the arrays of the others in memory.
        return part.copy()

    def _take_values(self, count: int) -> list[Any]:
        values: list[Any] = []
        while len(values) < count:
            line = next(self._values, None)
            if not line:
                raise ValueError("a field has fewer values than its outline says")
            values += line
        if len(values) != count:
            raise ValueError("a field has other values than its outline says")
        return values


def _write_arrays(path: Path, dtype: str, row_shape: tuple[int, ...], parts: Sequence[Array]) -> FileFacts:
    """Write the parts, one after another, as one npy array whose rows have the given shape. Raises OSError."""
    shape = (sum(len(part) for part in parts), *row_shape)
    with HashedFile(path) as file:
        header = {"descr": dtype, "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(file, header)
        for part in parts:
            if part.size:
                file.write(np.ascontiguousarray(part, dtype).data.cast("B"))
    return file.facts


def _read_array(path: Path, dtype: str, row_shape: tuple[int, ...]) -> Array:
    """An npy file of exactly this kind and size. Raises OSError, ValueError."""
    with open(path, "rb", opener=no_link) as file:
        if np.lib.format.read_magic(file) != (1, 0):
            raise ValueError("an array of another format")
        shape, columns_first, found = np.lib.format.read_array_header_1_0(file)
        if columns_first or found != np.dtype(dtype) or len(shape) != 1 + len(row_shape) or shape[1:] != row_shape:
            raise ValueError("an array of another type or shape")
        count = int(np.prod(shape, dtype=object))
        if os.fstat(file.fileno()).st_size - file.tell() != count * found.itemsize:
            raise ValueError("an array of another length")
        return np.fromfile(file, found, count).reshape(shape)


def _read_values(path: Path) -> Iterator[list[Any]]:
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            yield json.loads(line)


def _arrays(state: CollectionState) -> dict[str, list[Array]]:
    graves = [(key, *number) for key, number in state.slots.tombstones]
    return {
        **{name: [getattr(state.slots, name)] for name in _SLOT_ARRAYS},
        "tombstones": [np.array(graves, np.int64).reshape(-1, 3)],
        "codes": [column.codes for column in state.columns.values()],
        "row_slots": [segment.slots for segment in state.segments],
        "row_stamps": [segment.stamps for segment in state.segments],
        "vectors": [segment.vectors for segment in state.segments if segment.vectors is not None],
    }


def _outline(namespace_key: int, state: CollectionState) -> dict[str, Any]:
    return {
        "namespace": namespace_key,
        "slots": len(state.slots.stamps),
        "tombstones": len(state.slots.tombstones),
        "columns": [[path, len(column.values)] for path, column in state.columns.items()],
        "segments": [
            {
                "serial": segment.serial,
                "rows": len(segment.slots),
                "sha256": segment.graph.sha256 if segment.graph else None,
            }
            for segment in state.segments
        ],
        "fresh": state.fresh,
        "next_serial": state.next_serial,
        "next_stamp": state.next_stamp,
        "documents": state.documents,
        "digest": state.digest,
    }


def _line(content: object) -> bytes:
    return json.dumps(content, separators=(",", ":"), allow_nan=False).encode() + b"\n"
