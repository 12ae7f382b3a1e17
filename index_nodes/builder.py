"""The build process: python -m index_nodes.builder --vectors new.npy --output graph.faiss [--base graph.faiss]

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

from embedding_project.contracts.vectors import Vector
from index_nodes.hnsw_segment import new_graph

NICENESS = 5
"""As for other background roles. With 10, rows waited so long for a graph on a busy machine that searches slowed."""
UNFINISHED = ".unfinished"
"""Suffix of the file while the builder writes it."""
_ADD_ROWS = 16_384
"""Large enough to be as fast as one add of all rows, small enough that the builder soon notices the end of its node."""
NODE_GONE = 3
"""Exit status when the node that asked for the graph has ended."""


def extend(base: Path | None, vectors: Vector, output: Path) -> None:
    """Write the graph of `base` and `vectors` to `output`, whole or not at all."""
    parent = os.getppid()
    graph = faiss.read_index(str(base)) if base else new_graph(vectors.shape[1])
    for start in range(0, len(vectors), _ADD_ROWS):
        if os.getppid() != parent:
            sys.exit(NODE_GONE)
        graph.add(np.ascontiguousarray(vectors[start : start + _ADD_ROWS]))
    unfinished = output.with_suffix(UNFINISHED)
    faiss.write_index(graph, str(unfinished))
    with unfinished.open("rb") as file:
        os.fsync(file.fileno())
    unfinished.rename(output)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--vectors", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--base", type=Path)
    arguments = parser.parse_args()
    os.nice(NICENESS)
    extend(arguments.base, np.load(arguments.vectors, mmap_mode="r"), arguments.output)


if __name__ == "__main__":
    main()
