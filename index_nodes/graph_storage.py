"""Graphs of Faiss by how they hold their vectors: as they are, or rounded to two bytes or to one byte a number.

A search that walks a graph of rounded vectors finds candidates; whoever shows scores computes them from the exact
vectors, which are in Postgres.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import faiss
import numpy as np
from numpy.typing import NDArray

from embedding_project.contracts.vector_storage import VectorStorage
from embedding_project.contracts.vectors import Vector

GRAPH_NEIGHBOURS = 16
EF_CONSTRUCTION = 200
GRAPH_KIND: Mapping[str, Any] = {
    "faiss": faiss.__version__,
    "metric": "inner_product",
    "neighbours": GRAPH_NEIGHBOURS,
    "ef_construction": EF_CONSTRUCTION,
}
"""How this node makes its graphs. It reads no snapshot whose graphs were made in another way."""
TRAINED_ROWS = 8_192
"""One byte a number needs the range of each dimension, which a graph of fewer rows does not show. Such a graph holds
two bytes a number, and becomes one of a byte when it grows."""
_MOST_TRAINED_ROWS = 65_536
_RANGE_MARGIN = 0.1
"""By how much of its range a dimension reaches beyond the sample: what lies outside is cut."""
_KINDS = {
    VectorStorage.FP16: faiss.ScalarQuantizer.QT_fp16,
    VectorStorage.SQ8: faiss.ScalarQuantizer.QT_8bit,
}


class Vectors(Protocol):
    """Vectors of one dimension, read as float32 by their rows."""

    @property
    def shape(self) -> tuple[int, ...]: ...

    def __len__(self) -> int: ...

    def __getitem__(self, rows: Any, /) -> Vector: ...


class RoundedVectors:
    """The vectors of a graph that holds them in fewer bytes: rounded ones, made float32 when they are read."""

    def __init__(self, graph: faiss.IndexHNSW, held: faiss.IndexScalarQuantizer) -> None:
        self._graph = graph
        self._held = held
        count, size = held.ntotal, held.code_size
        # A view without a copy: it needs the graph to live.
        self._codes: NDArray[np.uint8] = faiss.rev_swig_ptr(held.codes.data(), count * size).reshape(count, size)
        self.shape = (count, held.d)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: Any, /) -> Vector:
        codes = np.ascontiguousarray(self._codes[rows])
        found: Vector = self._held.sa_decode(codes)
        return found

    def part(self, rows: slice | NDArray[np.int64]) -> faiss.IndexScalarQuantizer:
        """These rows as an index of their own. Faiss compares rounded numbers five times as fast as it makes them
        float32; but to find some rows among all, it looks at each of them."""
        held: Any = self._held
        part: Any = faiss.IndexScalarQuantizer(held.d, held.sq.qtype, faiss.METRIC_INNER_PRODUCT)
        faiss.copy_array_to_vector(faiss.vector_to_array(held.sq.trained), part.sq.trained)
        part.is_trained = True
        part.add_sa_codes(np.ascontiguousarray(self._codes[rows]))
        found: faiss.IndexScalarQuantizer = part
        return found


def storage_for(storage: VectorStorage, rows: int) -> VectorStorage:
    """How a graph of so many rows holds its vectors, in an index of the given storage."""
    return VectorStorage.FP16 if storage is VectorStorage.SQ8 and rows < TRAINED_ROWS else storage


def new_graph(dimension: int, storage: VectorStorage, samples: Sequence[Vectors] = ()) -> faiss.IndexHNSW:
    """An empty graph. `samples`: vectors that are to come into it; needed for one byte a number."""
    graph: faiss.IndexHNSW
    if storage is VectorStorage.FP32:
        graph = faiss.IndexHNSWFlat(dimension, GRAPH_NEIGHBOURS, faiss.METRIC_INNER_PRODUCT)
    else:
        kind: Any = _KINDS[storage]
        graph = faiss.IndexHNSWSQ(dimension, kind, GRAPH_NEIGHBOURS, faiss.METRIC_INNER_PRODUCT)
    graph.hnsw.efConstruction = EF_CONSTRUCTION
    if not graph.is_trained:
        held: Any = faiss.downcast_index(graph.storage)
        held.sq.rangestat_arg = _RANGE_MARGIN
        graph.train(np.concatenate([_picked(vectors) for vectors in samples]))
    return graph


def _picked(vectors: Vectors) -> Vector:
    rows = np.unique(np.linspace(0, len(vectors) - 1, _MOST_TRAINED_ROWS).astype(np.int64))
    return np.ascontiguousarray(vectors[rows], np.float32)


def read_graph(path: Path) -> faiss.IndexHNSW:
    """Raises RuntimeError when the file is damaged, and ValueError when a node makes no such graphs."""
    found = faiss.read_index(str(path))
    if not isinstance(found, faiss.IndexHNSW) or storage_of(found) is None:
        raise ValueError("the file holds no graph that a node makes")
    return found


def storage_of(graph: object) -> VectorStorage | None:
    """How a graph holds its vectors; None when it is no graph that a node makes."""
    if not isinstance(graph, faiss.IndexHNSW) or graph.metric_type != faiss.METRIC_INNER_PRODUCT:
        return None
    held = faiss.downcast_index(graph.storage)
    if isinstance(graph, faiss.IndexHNSWFlat) and isinstance(held, faiss.IndexFlat):
        return VectorStorage.FP32
    if isinstance(graph, faiss.IndexHNSWSQ) and isinstance(held, faiss.IndexScalarQuantizer):
        return next((storage for storage, kind in _KINDS.items() if kind == held.sq.qtype), None)
    return None


def vectors_of(graph: faiss.IndexHNSW) -> Vectors:
    """The vectors of a graph that lives as long as they do, and does not change."""
    held: Any = faiss.downcast_index(graph.storage)
    if isinstance(held, faiss.IndexScalarQuantizer):
        return RoundedVectors(graph, held)
    pointer = held.get_xb()
    vectors: Vector = faiss.rev_swig_ptr(pointer, graph.ntotal * graph.d).reshape(graph.ntotal, graph.d)
    return vectors
