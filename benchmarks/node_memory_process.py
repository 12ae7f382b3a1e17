"""A process that loads an index as a node does, and says what it takes: python -m benchmarks.node_memory_process

`rows FOLDER STORAGE`: row by row from FOLDER/vectors.npy, as from Postgres, with the builds of a node; then it writes a
snapshot. `snapshot FOLDER STORAGE`: from that snapshot; then it searches with FOLDER/queries.npy. Prints JSON.
"""

import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import celery
import numpy as np

from benchmarks.corpus import DIMENSION
from embedding_project.contracts.vector_storage import VectorStorage
from embedding_project.contracts.vectors import Vector, to_bytes
from embeddings_app.services.search.rescoring import exactly_scored, spare_hits
from index_nodes import service
from index_nodes.build_lanes import LANES
from index_nodes.build_queue import BuildQueue
from index_nodes.collection import DocumentState
from index_nodes.hnsw_segment import search_one_thread_each
from index_nodes.log_reader import LOAD_ROWS, Log
from index_nodes.memory_budget import give_back_freed
from index_nodes.memory_plan import UNBUILT_ROWS
from index_nodes.scan import SearchSpec
from index_nodes.snapshot_check import check_graphs
from index_nodes.snapshot_files import verified
from index_nodes.snapshot_load import restore
from index_nodes.snapshot_store import SnapshotStore
from index_nodes.snapshot_writer import SnapshotSource, write_snapshot
from index_nodes.version_index import VersionIndex

TOP_K, EF_SEARCH = 10, 100
_NAMESPACE = 1
_SECTIONS = 60
"""Different values of the one field that every document has."""
_LIMIT_SECONDS = 3_600.0
_WHOLE_PROCESS = (celery, service)
"""Imported for what they take: a node is a worker of Celery."""


def resident(name: str = "VmRSS") -> int:
    """Bytes; `VmHWM` for the most so far."""
    for line in Path("/proc/self/status").read_text(encoding="utf-8").splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) * 1024
    return 0


def from_rows(folder: Path, storage: VectorStorage) -> dict[str, Any]:
    before, began = resident(), time.monotonic()
    index = VersionIndex(DIMENSION, folder / f"rows-{storage}", storage=storage)
    queues = [BuildQueue("bench", lambda: [index], folder, lane) for lane in LANES]
    for builds in queues:
        builds.start()
    try:
        for states in _pieces(folder / "vectors.npy"):
            while storage is not VectorStorage.FP32 and index.backlog() >= UNBUILT_ROWS:
                time.sleep(0.1)
            index.apply(states, time.monotonic())
        loaded = time.monotonic() - began
        _wait_for_builds(index, began)
    finally:
        for builds in queues:
            builds.stop()
    after = {"before": before, "after": resident(), "peak": resident("VmHWM")}
    store = SnapshotStore(folder / f"snapshots-{storage}")
    log = Log(layout=1, version_key=1, shard=0)
    written = write_snapshot(SnapshotSource(log=log, epoch="bench", seq=1, index=index, store=store))
    size = sum(file.stat().st_size for file in written.iterdir())
    return {**after, "loaded": loaded, "built": time.monotonic() - began, "snapshot": size}


def from_snapshot(folder: Path, storage: VectorStorage) -> dict[str, Any]:
    before, began = resident(), time.monotonic()
    (snapshot,) = SnapshotStore(folder / f"snapshots-{storage}").newest_first()
    manifest = verified(snapshot)
    check_graphs(snapshot, manifest, lambda: False)
    index = VersionIndex(DIMENSION, folder / f"snapshot-{storage}", storage=storage)
    restore(snapshot, manifest, index)
    give_back_freed()
    found = {"before": before, "after": resident(), "peak": resident("VmHWM"), "seconds": time.monotonic() - began}
    return {**found, **_searched(index, folder, storage)}


def _searched(index: VersionIndex, folder: Path, storage: VectorStorage) -> dict[str, float]:
    """Recall of the answers that clients get, and the processor time of a node for a search."""
    search_one_thread_each()
    queries, truth = np.load(folder / "queries.npy"), np.load(folder / "truth.npy")
    vectors = np.load(folder / "vectors.npy", mmap_mode="r")
    spec = SearchSpec(
        top_k=TOP_K + spare_hits(storage, TOP_K), ef_search=EF_SEARCH, exact=False, filter="", scan_factor=0.0
    )
    near, took = 0, []
    for query, least in zip(queries, truth, strict=True):
        began = time.thread_time()
        hits = index.search(_NAMESPACE, query[np.newaxis], spec)[0]
        took.append(time.thread_time() - began)
        shown = exactly_scored(query, [*hits], {hit.document_key: to_bytes(vectors[hit.document_key]) for hit in hits})
        near += sum(hit.score >= least for hit in shown[:TOP_K])
    return {"recall": near / (TOP_K * len(queries)), "search_ms": 1_000 * float(np.median(took))}


def _pieces(path: Path) -> Iterator[list[DocumentState]]:
    """Read piece by piece: what a file is mapped to would count as memory of the process."""
    with path.open("rb") as file:
        np.lib.format.read_magic(file)
        shape, _, _ = np.lib.format.read_array_header_1_0(file)
        for start in range(0, shape[0], LOAD_ROWS):
            rows = min(LOAD_ROWS, shape[0] - start)
            vectors = np.fromfile(file, np.float32, rows * DIMENSION).reshape(rows, DIMENSION)
            yield [_state(start + row, vector) for row, vector in enumerate(vectors)]


def _state(key: int, vector: Vector) -> DocumentState:
    return DocumentState(
        document_key=key, namespace_key=_NAMESPACE, revision=1, text_revision=1, vector=vector,
        metadata={"section": f"section {key % _SECTIONS}"},
    )  # fmt: skip


def _wait_for_builds(index: VersionIndex, began: float) -> None:
    """Until no build has been due for a while."""
    quiet_since = time.monotonic()
    published = index.published
    while time.monotonic() - quiet_since < 6.0:
        if time.monotonic() - began > _LIMIT_SECONDS:
            sys.exit("the builds take too long")
        if index.rows_due(time.monotonic()) is not None or index.published != published or index.backlog():
            quiet_since, published = time.monotonic(), index.published
        time.sleep(0.25)


def main() -> None:
    mode, folder, storage = sys.argv[1:]
    measure = from_rows if mode == "rows" else from_snapshot
    print(json.dumps(measure(Path(folder), VectorStorage(storage))))


if __name__ == "__main__":
    main()
