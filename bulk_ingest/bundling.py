"""One bundle of a job: the documents of a shard in a range of keys, with the graph of their vectors, as files.

It reads the rows of the block from Postgres, whoever embedded and wrote them: a hundredth of the time of the graph. The
folder has the format of snapshots of index nodes, which take it over.
"""

import shutil
import time
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import faiss
import numpy as np
import orjson
from numpy.typing import NDArray

from embedding_project.contracts.metadata import flatten, stored_metadata
from embedding_project.contracts.vector_storage import VectorStorage
from embeddings_app.records import bulk_bundles
from embeddings_app.records.bulk_bundles import NewBundle, Part
from embeddings_app.records.transactions import in_transaction
from index_nodes.builder import extend
from index_nodes.collection_state import CollectionState, ColumnState, GraphFile, SegmentState, SlotState
from index_nodes.graph_storage import GRAPH_KIND
from index_nodes.snapshot_check import check_graphs
from index_nodes.snapshot_contents import graph_name, write_contents
from index_nodes.snapshot_files import (
    FORMAT,
    MANIFEST,
    FileFacts,
    HashedFile,
    Manifest,
    SnapshotDamaged,
    encode,
    sha256_of,
    sync_folder,
)
from index_nodes.tally import DIGEST_MODULUS, document_hash

KEYS_AT_ONCE = 20_000
"""Read by one statement."""
_SERIAL = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class BundleTask:
    """A bundle to build. A second task of the same bundle replaces what the first left, or changes nothing."""

    rows: Part
    part: int
    folder: Path
    """Of all bundles of the job."""
    epoch: str
    layout: int
    namespace_key: int
    dimension: int
    storage: VectorStorage
    threads: int


class BundleWrong(Exception):
    """A bundle does not hold what the tables hold."""


def build_bundle(task: BundleTask) -> bool:
    """True, also when there is nothing to build. Raises BundleWrong, OSError, django.db.Error."""
    faiss.omp_set_num_threads(task.threads)
    home = task.folder / f"s{task.rows.shard}-p{task.part}"
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir(parents=True)
    spool = home / "vectors.npy"
    gathered = _Gathered()
    with spool.open("xb") as file:
        gathered.read(task, file)
    if not len(gathered.keys):
        shutil.rmtree(home)
        return True
    folder, manifest = _write(task, gathered, np.load(spool, mmap_mode="r"))
    spool.unlink()
    try:
        check_graphs(folder, manifest, lambda: False)
    except SnapshotDamaged as error:
        raise BundleWrong(f"the bundle of shard {task.rows.shard}, part {task.part}: {error}") from None
    _compare(task, gathered)
    new = NewBundle(
        part=task.part,
        layout=task.layout,
        path=str(folder),
        sha256=sha256_of(folder / MANIFEST),
        rows=manifest.documents,
        size=sum(facts.size for facts in manifest.files.values()),
        digest=manifest.digest,
    )
    if not in_transaction(lambda: bulk_bundles.announce(task.rows, new)):
        shutil.rmtree(home, ignore_errors=True)
    return True


class _Gathered:
    """The documents of a bundle, by row."""

    def __init__(self) -> None:
        self.keys = array("q")
        self.hashes: list[int] = []
        self._fields: dict[str, _Field] = {}

    def read(self, task: BundleTask, vectors: BinaryIO) -> None:
        """All rows of the range; their vectors go into a file. Raises OSError."""
        start = vectors.tell()
        _write_header(vectors, 0, task.dimension)
        for part in _pieces(task.rows):
            for row in bulk_bundles.unchanged_rows(part):
                for path, value in flatten(stored_metadata(row.metadata)).items():
                    self._fields.setdefault(path, _Field()).add(len(self.keys), value)
                self.keys.append(row.key)
                self.hashes.append(document_hash(row.key, 1, 1))
                vectors.write(row.vector)
        vectors.seek(start)
        # numpy leaves room for a larger number, so that the header keeps its length.
        _write_header(vectors, len(self.keys), task.dimension)

    def columns(self) -> dict[str, ColumnState]:
        return {path: field.state(len(self.keys)) for path, field in self._fields.items()}


class _Field:
    def __init__(self) -> None:
        self._rows, self._codes = array("q"), array("i")
        self._code_of: dict[bytes, int] = {}
        self._values: list[Any] = []

    def add(self, row: int, value: Any) -> None:
        code = self._code_of.setdefault(_known_as(value), len(self._values))
        if code == len(self._values):
            self._values.append(value)
        self._rows.append(row)
        self._codes.append(code)

    def state(self, count: int) -> ColumnState:
        codes: NDArray[np.int32] = np.full(count, -1, np.int32)
        codes[np.array(self._rows, np.int64)] = np.array(self._codes, np.int32)
        return ColumnState(codes=codes, values=self._values)


def _known_as(value: Any) -> bytes:
    # Integers of JSON may be larger than orjson takes.
    return repr(value).encode() if isinstance(value, int | float) else orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


def _write_header(file: BinaryIO, count: int, dimension: int) -> None:
    header = {"descr": "<f4", "fortran_order": False, "shape": (count, dimension)}
    np.lib.format.write_array_header_1_0(file, header)


def _pieces(rows: Part) -> Iterator[Part]:
    for first in range(rows.first_key, rows.last_key + 1, KEYS_AT_ONCE):
        yield Part(
            job_key=rows.job_key,
            version_key=rows.version_key,
            shards=rows.shards,
            shard=rows.shard,
            first_key=first,
            last_key=min(first + KEYS_AT_ONCE - 1, rows.last_key),
        )


def _write(task: BundleTask, gathered: _Gathered, vectors: NDArray[np.float32]) -> tuple[Path, Manifest]:
    half = task.folder / f"s{task.rows.shard}-p{task.part}" / "half"
    half.mkdir()
    graph = half / graph_name(task.namespace_key, _SERIAL)
    extend(None, vectors, graph, task.storage)
    facts = FileFacts(graph.stat().st_size, sha256_of(graph))
    state = _state(gathered, GraphFile(path=graph, sha256=facts.sha256))
    files = write_contents(half, task.dimension, {task.namespace_key: state})
    manifest = Manifest(
        format=FORMAT,
        epoch=task.epoch,
        layout=task.layout,
        version_key=task.rows.version_key,
        shard=task.rows.shard,
        seq=0,
        dimension=task.dimension,
        storage=task.storage.value,
        **GRAPH_KIND,
        documents=state.documents,
        digest=state.digest,
        written_ms=time.time_ns() // 1_000_000,
        files={**files, graph.name: facts},
    )
    with HashedFile(half / MANIFEST) as file:
        file.write(encode(manifest))
    sync_folder(half)
    folder = half.rename(half.with_name(manifest.folder_name))
    sync_folder(folder.parent)
    return folder, manifest


def _state(gathered: _Gathered, graph: GraphFile) -> CollectionState:
    """What an index holds that has taken the documents in the order of their keys, and nothing else."""
    count = len(gathered.keys)
    ones, numbers = np.ones(count, np.int32), np.arange(count, dtype=np.int64)
    keys = np.array(gathered.keys, np.int64)
    return CollectionState(
        slots=SlotState(document_keys=keys, revisions=ones, text_revisions=ones, stamps=numbers, tombstones=()),
        columns=gathered.columns(),
        segments=(
            SegmentState(serial=_SERIAL, slots=numbers.astype(np.int32), stamps=numbers, vectors=None, graph=graph),
        ),
        fresh=None,
        next_serial=_SERIAL,
        next_stamp=count,
        documents=count,
        digest=sum(gathered.hashes) % DIGEST_MODULUS,
    )


def _compare(task: BundleTask, gathered: _Gathered) -> None:
    """Raises BundleWrong unless the tables have these documents, but for what clients have changed meanwhile."""
    keys = np.array(gathered.keys, np.int64)
    for part in _pieces(task.rows):
        first, last = np.searchsorted(keys, (part.first_key, part.last_key + 1)).tolist()
        if not bulk_bundles.fits_tables(part, gathered.keys[first:last], gathered.hashes[first:last]):
            raise BundleWrong(f"the bundle of shard {task.rows.shard}, part {task.part} is not what the tables hold")
