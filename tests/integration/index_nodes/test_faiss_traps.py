"""What Faiss does that a reader would not expect. When one of these fails after an upgrade, a rule may have become
needless."""

import os
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import faiss
import numpy as np
import pytest

from embedding_project.contracts.vector_storage import VectorStorage
from embedding_project.contracts.vectors import Vector
from index_nodes.builder import extend
from index_nodes.graph_storage import GRAPH_NEIGHBOURS, new_graph
from index_nodes.hnsw_segment import HnswSegment, search_one_thread_each
from index_nodes.row_bits import RowBits
from index_nodes.rows import SegmentRows
from index_nodes.scan import RowTable
from index_nodes.selections import MarkedRows
from tests.unit.index_nodes.builders import clustered_vectors, spec

ROWS, QUERIES = 3_000, 100
VECTORS = clustered_vectors(ROWS + QUERIES, 32)
NEW, ASKED = VECTORS[:ROWS], VECTORS[ROWS:]


@pytest.fixture(scope="module")
def graph() -> faiss.IndexHNSW:
    graph = new_graph(32, VectorStorage.FP32)
    graph.add(NEW)
    return graph


def parameters(**options: Any) -> faiss.SearchParameters:
    found: faiss.SearchParameters = faiss.SearchParametersHNSW(**options)  # type: ignore[attr-defined]  # untyped in Faiss
    return found


def selector_of(rows: np.ndarray) -> faiss.IDSelector:
    # Faiss gives the types of the constructor in C++, with a size and a pointer.
    return faiss.IDSelectorBitmap(np.packbits(rows, bitorder="little"))  # type: ignore[call-arg, arg-type]


def recall(rows: np.ndarray, queries: Vector = ASKED) -> float:
    exact = np.argsort(-(queries @ NEW.T), axis=1)[:, : rows.shape[1]]
    return float(np.mean([len(set(a) & set(b)) / len(a) for a, b in zip(exact.tolist(), rows.tolist(), strict=True)]))


def test_search_parameters_hide_the_ef_of_the_index(graph: faiss.IndexHNSW) -> None:
    graph.hnsw.efSearch = 200
    _, with_index_ef = graph.search(ASKED, 10)
    _, with_default = graph.search(ASKED, 10, params=parameters())
    _, with_16 = graph.search(ASKED, 10, params=parameters(efSearch=16))
    assert recall(with_index_ef) > recall(with_default)
    assert np.array_equal(with_default, with_16)


def test_a_selector_is_ignored_without_the_bounded_queue(graph: faiss.IndexHNSW) -> None:
    selector = selector_of(np.arange(ROWS) % 10 == 0)
    bounded = parameters(efSearch=200, sel=selector, bounded_queue=True)
    unbounded = parameters(efSearch=200, sel=selector, bounded_queue=False)
    kept = graph.search(ASKED, 10, params=bounded)[1]
    assert np.all(kept[kept >= 0] % 10 == 0)
    assert np.any(graph.search(ASKED, 10, params=unbounded)[1] % 10 != 0)


def test_a_graph_may_return_fewer_rows_than_match_and_a_segment_never(tmp_path: Path) -> None:
    # Two far islands, and a filter that leaves only the far one: a narrow walk ends before it gets there.
    near, far = clustered_vectors(3_000, 32, seed=1, clusters=1), -clustered_vectors(3_000, 32, seed=1, clusters=1)
    graph = new_graph(32, VectorStorage.FP32)
    graph.add(np.concatenate([near, far]))
    matching = np.arange(6_000) >= 3_000
    narrow = parameters(efSearch=20, sel=selector_of(matching))
    assert np.any(graph.search(near[:5], 20, params=narrow)[1] < 0)
    segment = HnswSegment(SegmentRows.empty(6_000), graph, tmp_path)
    table = RowTable(segment.vectors, np.arange(6_000), np.ones(6_000, np.int32))
    found = segment.search(near[:5], table, MarkedRows(RowBits.of(matching)), spec(20, ef_search=20))
    assert np.all(found.rows >= 3_000)


def test_a_graph_built_in_many_adds_is_as_good_as_one_built_at_once(graph: faiss.IndexHNSW, tmp_path: Path) -> None:
    base, output = None, tmp_path / "first.faiss"
    for number, part in enumerate(np.array_split(NEW, 10)):
        output = tmp_path / f"{number}.faiss"
        extend(base, part, output)
        base = output
    wide = parameters(efSearch=100)
    at_once = recall(graph.search(ASKED, 10, params=wide)[1])
    in_steps = recall(faiss.read_index(str(output)).search(ASKED, 10, params=wide)[1])
    assert min(at_once, in_steps) >= 0.97
    assert abs(at_once - in_steps) < 0.01


def test_parameters_of_the_graph_survive_the_file(tmp_path: Path) -> None:
    extend(None, NEW[:300], tmp_path / "a.faiss")
    graph = faiss.read_index(str(tmp_path / "a.faiss"))
    assert isinstance(graph, faiss.IndexHNSWFlat)
    assert graph.metric_type == faiss.METRIC_INNER_PRODUCT
    assert graph.hnsw.efConstruction == 200
    assert graph.hnsw.nb_neighbors(1) == GRAPH_NEIGHBOURS  # type: ignore[attr-defined]  # untyped in Faiss
    assert np.array_equal(HnswSegment(SegmentRows.empty(1), graph, tmp_path).vectors[:], NEW[:300])


def test_each_searching_thread_must_say_that_it_uses_one_thread() -> None:
    def threads_of_faiss(prepare: Callable[[], None]) -> int:
        with ThreadPoolExecutor(1) as other:
            other.submit(faiss.omp_set_num_threads, 3).result()
            other.submit(prepare).result()
            return other.submit(faiss.omp_get_max_threads).result()

    before = faiss.omp_get_max_threads()
    search_one_thread_each()
    assert threads_of_faiss(lambda: None) == 3
    assert threads_of_faiss(search_one_thread_each) == 1
    faiss.omp_set_num_threads(before)


def test_adding_to_a_mapped_graph_would_end_the_process(tmp_path: Path) -> None:
    # Hence graphs are read into memory, and extended in a process of their own.
    extend(None, NEW[:300], tmp_path / "a.faiss")
    program = f"""
import faiss, numpy
graph = faiss.read_index({str(tmp_path / "a.faiss")!r}, faiss.IO_FLAG_MMAP_IFC)
graph.add(numpy.ones((1, 32), "float32"))
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, env={**os.environ, "OMP_NUM_THREADS": "1"}
    )
    assert done.returncode != 0
