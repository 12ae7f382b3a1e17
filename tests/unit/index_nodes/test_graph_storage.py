"""Graphs that hold their vectors in fewer bytes: how they are made, grow, and say what they hold."""

from pathlib import Path

import faiss
import numpy as np
import pytest

from embedding_project.contracts.vector_storage import VectorStorage
from index_nodes.builder import extend
from index_nodes.graph_storage import TRAINED_ROWS, new_graph, read_graph, storage_for, storage_of, vectors_of
from tests.unit.index_nodes.builders import clustered_vectors

DIMENSION = 16
VECTORS = clustered_vectors(TRAINED_ROWS + 500, DIMENSION)
LARGEST_ERROR = {VectorStorage.FP32: 0.0, VectorStorage.FP16: 5e-4, VectorStorage.SQ8: 8e-3}


@pytest.mark.parametrize("storage", VectorStorage)
def test_a_graph_gives_its_vectors_back_as_well_as_it_holds_them(storage: VectorStorage, tmp_path: Path) -> None:
    extend(None, VECTORS, tmp_path / "a.faiss", storage)
    graph = read_graph(tmp_path / "a.faiss")
    held = vectors_of(graph)
    assert storage_of(graph) is storage
    assert (len(held), *held.shape) == (len(VECTORS), *VECTORS.shape)
    for rows in (slice(None), slice(5, 9), np.array([3, 1, -1]), np.array([], np.int64)):
        found = held[rows]
        assert found.dtype == np.float32
        assert found.shape == VECTORS[rows].shape
        assert np.abs(found - VECTORS[rows]).max(initial=0.0) <= LARGEST_ERROR[storage]
    size = faiss.downcast_index(graph.storage).code_size  # type: ignore[attr-defined]  # untyped in Faiss
    assert size == storage.bytes_a_number * DIMENSION


def test_a_graph_that_is_too_small_to_know_the_range_of_its_numbers_holds_two_bytes_each(tmp_path: Path) -> None:
    assert storage_for(VectorStorage.SQ8, TRAINED_ROWS - 1) is VectorStorage.FP16
    assert storage_for(VectorStorage.SQ8, TRAINED_ROWS) is VectorStorage.SQ8
    extend(None, VECTORS[:1], tmp_path / "one.faiss", VectorStorage.SQ8)
    assert storage_of(read_graph(tmp_path / "one.faiss")) is VectorStorage.FP16


def test_a_small_graph_that_grows_keeps_its_rows_in_their_order(tmp_path: Path) -> None:
    base, path = None, tmp_path / "0.faiss"
    parts = np.split(VECTORS, [300, TRAINED_ROWS - 1, TRAINED_ROWS + 100])
    found = []
    for number, part in enumerate(parts):
        path = tmp_path / f"{number}.faiss"
        extend(base, part, path, VectorStorage.SQ8)
        found.append(storage_of(read_graph(path)))
        base = path
    assert found == [VectorStorage.FP16, VectorStorage.FP16, VectorStorage.SQ8, VectorStorage.SQ8]
    assert np.abs(vectors_of(read_graph(path))[:] - VECTORS).max() <= LARGEST_ERROR[VectorStorage.SQ8]


def test_rows_that_move_on_between_graphs_lose_little_each_time(tmp_path: Path) -> None:
    vectors = VECTORS
    for turn in range(5):
        path = tmp_path / f"{turn}.faiss"
        extend(None, vectors, path, VectorStorage.SQ8)
        vectors = vectors_of(read_graph(path))[:]
    assert np.sqrt(np.mean((vectors - VECTORS) ** 2)) < 3 * LARGEST_ERROR[VectorStorage.SQ8]


@pytest.mark.parametrize(
    "other",
    [
        faiss.IndexFlatIP(4),
        faiss.IndexHNSWFlat(4, 16, faiss.METRIC_L2),
        faiss.IndexHNSWSQ(4, faiss.ScalarQuantizer.QT_4bit, 16, faiss.METRIC_INNER_PRODUCT),  # type: ignore[arg-type]
        None,
    ],
    ids=["no graph", "another metric", "four bits", "nothing"],
)
def test_what_no_node_makes_is_no_graph_of_any_storage(other: object) -> None:
    assert storage_of(other) is None


def test_an_empty_graph_of_one_byte_needs_vectors_to_learn_from() -> None:
    with pytest.raises(ValueError, match="need at least one"):
        new_graph(DIMENSION, VectorStorage.SQ8)
