"""The child process that reads the graphs of a snapshot first: python -m index_nodes.snapshot_check FOLDER

Faiss believes what a file says about itself, so a damaged one may crash or fill the memory. Here that costs only this
process. It ends with status 0 when every graph is what a node would have written.
"""

import argparse
import resource
import sys
from pathlib import Path
from typing import Any

import faiss
import numpy as np

from index_nodes.hnsw_segment import GRAPH_NEIGHBOURS
from index_nodes.snapshot_contents import is_graph
from index_nodes.snapshot_manifest import Manifest, read_manifest

_FIXED_BYTES = 4 * 2**30
"""Address space of the interpreter and its libraries, most of it never touched."""
_QUERIES = 32
_FOUND_SHARE = 0.75
"""A graph may miss a vector or two of its own; one whose links were shuffled misses most."""
_EF_SEARCH = 128
_TOLERANCE = 1e-3


class BadGraph(Exception):
    """A graph that no build of a node has made."""


def check(path: Path, manifest: Manifest) -> None:
    """Raises BadGraph, and whatever Faiss raises."""
    graph = faiss.read_index(str(path))
    if not isinstance(graph, faiss.IndexHNSWFlat) or graph.metric_type != faiss.METRIC_INNER_PRODUCT:
        raise BadGraph("not a graph over inner products")
    storage = faiss.downcast_index(graph.storage)
    if not isinstance(storage, faiss.IndexFlat) or {graph.d, storage.d} != {manifest.dimension}:
        raise BadGraph("another dimension")
    if not graph.ntotal or storage.ntotal != graph.ntotal or storage.codes.size() != 4 * graph.d * graph.ntotal:
        raise BadGraph("another number of vectors")
    _check_links(graph)
    _check_answers(graph, storage)


def _check_links(graph: faiss.IndexHNSWFlat) -> None:
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


def _check_answers(graph: faiss.IndexHNSWFlat, storage: faiss.IndexFlat) -> None:
    picked = np.unique(np.linspace(0, graph.ntotal - 1, _QUERIES).astype(np.int64))
    queries = np.stack([storage.reconstruct(int(row)) for row in picked])
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
    # Vectors and links, once as read and once as copies to look at.
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
