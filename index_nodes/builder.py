"""The build process: python -m index_nodes.builder --vectors new.npy --output graph.faiss [--base graph.faiss]
    [--storage fp16] [--niceness 10]

Inserts vectors into a new graph, or into a copy of an existing one, and writes the result. It runs at low priority in a
process of its own, since inserting takes whole cores for seconds. The node starts it by exec and never by a fork, which
OpenMP does not survive.
"""

import argparse
import os
import sys
from pathlib import Path

import faiss
import numpy as np

from embedding_project.contracts.vector_storage import VectorStorage
from embedding_project.contracts.vectors import Vector
from index_nodes.build_lanes import USUAL_NICENESS
from index_nodes.graph_storage import new_graph, read_graph, storage_for, storage_of, vectors_of

UNFINISHED = ".unfinished"
"""Suffix of the file while the builder writes it."""
_ADD_ROWS = 16_384
"""Large enough to be as fast as one add of all rows, small enough that the builder soon notices the end of its node."""
NODE_GONE = 3
"""Exit status when the node that asked for the graph has ended."""


def extend(base: Path | None, vectors: Vector, output: Path, storage: VectorStorage = VectorStorage.FP32) -> None:
    """Write the graph of `base` and `vectors` to `output`, whole or not at all."""
    parent = os.getppid()
    graph = _begun(base, vectors, storage)
    for start in range(0, len(vectors), _ADD_ROWS):
        if os.getppid() != parent:
            sys.exit(NODE_GONE)
        graph.add(np.ascontiguousarray(vectors[start : start + _ADD_ROWS]))
    unfinished = output.with_suffix(UNFINISHED)
    faiss.write_index(graph, str(unfinished))
    with unfinished.open("rb") as file:
        os.fsync(file.fileno())
    unfinished.rename(output)


def _begun(base: Path | None, vectors: Vector, storage: VectorStorage) -> faiss.IndexHNSW:
    """The graph with the rows of `base`, and ready for those of `vectors`."""
    earlier = read_graph(base) if base else None
    held = storage_for(storage, len(vectors) + (earlier.ntotal if earlier else 0))
    if earlier is None:
        return new_graph(vectors.shape[1], held, [vectors])
    if storage_of(earlier) is held:
        return earlier
    # A small graph grows: its rows move into one that holds them in fewer bytes.
    known = vectors_of(earlier)
    graph = new_graph(vectors.shape[1], held, [known, vectors])
    graph.add(known[:])
    return graph


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--vectors", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--base", type=Path)
    parser.add_argument("--storage", type=VectorStorage, default=VectorStorage.FP32)
    parser.add_argument("--niceness", type=int, default=USUAL_NICENESS)
    arguments = parser.parse_args()
    os.nice(arguments.niceness)
    extend(arguments.base, np.load(arguments.vectors, mmap_mode="r"), arguments.output, arguments.storage)


if __name__ == "__main__":
    main()
