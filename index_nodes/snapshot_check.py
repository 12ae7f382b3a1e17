"""The child process that reads the graphs of a snapshot before the node: python -m index_nodes.snapshot_check FOLDER

Faiss trusts the sizes in its files, so a damaged file may crash it or fill the memory. Then only this process dies. It
ends with status 0 when every graph is one that a node would have written.
"""

import argparse
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import faiss
import numpy as np

from embedding_project.config import PROJECT_ROOT, inherited_environment
from embedding_project.contracts.vector_storage import VectorStorage
from index_nodes.graph_storage import GRAPH_NEIGHBOURS, read_graph, storage_for, storage_of, vectors_of
from index_nodes.snapshot_contents import is_graph
from index_nodes.snapshot_files import Manifest, SnapshotDamaged, read_manifest

CHECK_SECONDS = 60.0
"""How long the child may run, plus one second for each 100 MB of graphs."""
_BYTES_A_SECOND = 100_000_000
_POLL_SECONDS = 0.02
_FIXED_BYTES = 4 * 2**30
"""Address space of the interpreter and its libraries, which use little of it."""
_QUERIES = 32
_FOUND_SHARE = 0.75
"""A sound graph may not find a vector or two of its own; a graph with shuffled links does not find most of them."""
_EF_SEARCH = 128
_TOLERANCE = 1e-3


class Abandoned(Exception):
    """The index of the snapshot was dropped while the snapshot was read."""


class BadGraph(Exception):
    """A graph that no build of a node made."""


def check_graphs(folder: Path, manifest: Manifest, unwanted: Callable[[], bool]) -> None:
    """Let a child process read the graphs first: a file that crashes Faiss must not end the node. Raises
    SnapshotDamaged, and Abandoned as soon as `unwanted()`."""
    size = sum(facts.size for name, facts in manifest.files.items() if is_graph(name))
    if not size:
        return
    # The driver of a bulk job on Spark has its code in a zip, which its environment names.
    root = PROJECT_ROOT if PROJECT_ROOT.is_dir() else None
    process = subprocess.Popen(
        [sys.executable, "-m", "index_nodes.snapshot_check", str(folder)], cwd=root,
        env=inherited_environment() | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    deadline = time.monotonic() + CHECK_SECONDS + size / _BYTES_A_SECOND
    try:
        while process.poll() is None:
            if unwanted():
                raise Abandoned
            if time.monotonic() > deadline:
                raise SnapshotDamaged("Faiss did not read its graphs in time")
            time.sleep(_POLL_SECONDS)
    finally:
        process.kill()
        _, words = process.communicate()
    if process.returncode:
        raise SnapshotDamaged(f"Faiss refused its graphs with status {process.returncode}: {words.strip()[-300:]}")


def check(path: Path, manifest: Manifest) -> None:
    """Raises BadGraph, and the errors of Faiss."""
    graph = read_graph(path)
    storage = storage_for(VectorStorage(manifest.storage), graph.ntotal)
    if storage_of(graph) is not storage:
        raise BadGraph(f"its vectors are not {storage}")
    held: Any = faiss.downcast_index(graph.storage)
    if {graph.d, held.d} != {manifest.dimension} or held.code_size != storage.bytes_a_number * graph.d:
        raise BadGraph("another dimension")
    if not graph.ntotal or held.ntotal != graph.ntotal or held.codes.size() != held.code_size * graph.ntotal:
        raise BadGraph("another number of vectors")
    if storage is VectorStorage.SQ8 and held.sq.trained.size() != 2 * graph.d:
        raise BadGraph("another number of ranges")
    _check_links(graph)
    _check_answers(graph)


def _check_links(graph: faiss.IndexHNSW) -> None:
    hnsw: Any = graph.hnsw
    count = graph.ntotal
    levels = faiss.vector_to_array(hnsw.levels)
    offsets = faiss.vector_to_array(hnsw.offsets).astype(np.int64)
    links = faiss.vector_to_array(hnsw.neighbors)
    if hnsw.nb_neighbors(0) != 2 * GRAPH_NEIGHBOURS:
        raise BadGraph("another number of links")
    if len(levels) != count or len(offsets) != count + 1 or levels.min() < 1 or hnsw.max_level != levels.max() - 1:
        raise BadGraph("levels do not fit")
    if not 0 <= hnsw.entry_point < count or levels[hnsw.entry_point] != levels.max():
        raise BadGraph("the entry point does not fit")
    rooms = np.array([hnsw.cum_nb_neighbors(level) for level in range(levels.max() + 1)])
    if offsets[0] or not np.array_equal(np.diff(offsets), rooms[levels]) or offsets[-1] != len(links):
        raise BadGraph("offsets do not fit")
    if links.min() < -1 or links.max() >= count:
        raise BadGraph("a link leads out of the graph")


def _check_answers(graph: faiss.IndexHNSW) -> None:
    picked = np.unique(np.linspace(0, graph.ntotal - 1, _QUERIES).astype(np.int64))
    queries = vectors_of(graph)[picked]
    own = np.einsum("ij,ij->i", queries, queries)
    if not np.isfinite(own).all():
        raise BadGraph("a vector is not finite")
    scores, _ = graph.search(queries, 1, params=faiss.SearchParametersHNSW(efSearch=_EF_SEARCH))  # type: ignore[attr-defined]
    if np.mean(scores[:, 0] >= own - _TOLERANCE) < _FOUND_SHARE:
        raise BadGraph("vectors are not found by themselves")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    folder: Path = parser.parse_args().folder
    manifest = read_manifest(folder)
    sizes = {name: facts.size for name, facts in manifest.files.items() if is_graph(name)}
    # Room for the vectors and links of the largest graph, and for the copies of the links that the checks make.
    limit = _FIXED_BYTES + 3 * max(sizes.values(), default=0)
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    faiss.set_deserialization_vector_byte_limit(max(sizes.values(), default=0))
    for name in sizes:
        try:
            check(folder / name, manifest)
        except (BadGraph, RuntimeError, MemoryError, ValueError) as error:
            sys.exit(f"{name}: {error}")


if __name__ == "__main__":
    main()
