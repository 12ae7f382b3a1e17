"""Long searches on a node: left when nobody waits, handed back where a lane does not allow them, never shortened."""

import itertools
from collections.abc import Iterator
from pathlib import Path

import faiss
import numpy as np
import pytest

from embedding_project.contracts.filters import Condition, Not, to_wire
from embedding_project.contracts.search_costs import filter_microseconds, scan_microseconds
from embedding_project.contracts.vector_storage import VectorStorage
from embedding_project.contracts.vectors import Vector, unit_length
from index_nodes.effort import ANY_EFFORT, Effort, Overdue, TooHeavy
from index_nodes.graph_storage import new_graph
from index_nodes.hnsw_segment import HnswSegment
from index_nodes.row_bits import RowBits
from index_nodes.rows import SegmentRows
from index_nodes.scan import Candidates, RowTable, SearchSpec, scan
from index_nodes.selections import LiveRows, MarkedRows
from index_nodes.version_index import VersionIndex
from tests.unit.index_nodes.builders import NAMESPACE, build_all, clustered_vectors, fill, spec

ROWS, DIMENSION = 3_000, 8
VECTORS = clustered_vectors(ROWS, DIMENSION)
FAR = to_wire(Condition("n", "gte", ROWS // 2))
"""Passes the half of the documents that is farthest from the first one."""
MOST = to_wire(Not(Condition("n", "eq", 1)))
WHOLE_SCAN = scan_microseconds(ROWS, DIMENSION)


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Iterator[VersionIndex]:
    made = VersionIndex(DIMENSION, tmp_path_factory.mktemp("index") / "v")
    order = np.argsort(-(VECTORS @ VECTORS[0]))
    fill(made, VECTORS[order], [{"n": number} for number in range(ROWS)])
    build_all(made)
    assert made.segment_counts() == (0, 1)
    yield made
    made.close()


def keys(index: VersionIndex, how: SearchSpec, effort: Effort = ANY_EFFORT, queries: int = 1) -> list[list[int]]:
    found = index.search(NAMESPACE, np.repeat(VECTORS[:1], queries, axis=0), how, effort)
    return [hits.document_keys.tolist() for hits in found]


def test_an_exact_search_is_allowed_up_to_its_cost(index: VersionIndex) -> None:
    assert len(keys(index, spec(exact=True), Effort(most_microseconds=WHOLE_SCAN))[0]) == 10
    with pytest.raises(TooHeavy):
        keys(index, spec(exact=True), Effort(most_microseconds=WHOLE_SCAN - 1))


def test_a_walk_is_always_allowed(index: VersionIndex) -> None:
    assert keys(index, spec(), Effort(most_microseconds=0)) == [list(range(10))]


def test_an_exact_search_counts_what_passes_its_filter(index: VersionIndex) -> None:
    one = to_wire(Condition("n", "eq", 7))
    assert keys(index, spec(exact=True, filter=one), Effort(most_microseconds=1)) == [[7]]


def test_a_filter_that_must_be_tested_on_every_document_is_allowed_up_to_its_cost(index: VersionIndex) -> None:
    cost = filter_microseconds(ROWS, 1)
    with pytest.raises(TooHeavy):
        keys(index, spec(filter=MOST), Effort(most_microseconds=cost - 1))
    assert len(keys(index, spec(filter=MOST), Effort(most_microseconds=cost))[0]) == 10


def test_a_walk_that_finds_too_few_is_handed_back_and_never_shortened(index: VersionIndex) -> None:
    far = spec(filter=FAR, ef_search=16, scan_factor=0)
    keys(index, far)  # now the rows that pass are known
    with pytest.raises(TooHeavy):
        keys(index, far, Effort(most_microseconds=scan_microseconds(ROWS // 2, DIMENSION) - 1))
    assert keys(index, far) == keys(index, spec(filter=FAR, exact=True))


def test_a_scan_that_nobody_waits_for_is_left_between_two_blocks() -> None:
    rows = 100_000
    table = RowTable(np.ones((rows, 4), np.float32), np.arange(rows), np.ones(rows, np.int32))
    times = itertools.count()
    looks = []

    def clock() -> float:
        looks.append(next(times))
        return looks[-1]

    with pytest.raises(Overdue):
        scan(table, LiveRows(np.ones(rows, np.int64), 0, rows), table.vectors[:1], 10, Effort(deadline=3, clock=clock))
    assert looks == [0, 1, 2, 3]


def scanned_segment(vectors: Vector, path: Path) -> HnswSegment:
    """Its graph has vectors and no links, which only walks need, and which take long to make."""
    count = len(vectors)
    graph = new_graph(vectors.shape[1], VectorStorage.FP32)
    faiss.downcast_index(graph.storage).add(vectors)
    graph.ntotal = count
    numbers = np.arange(count)
    rows = SegmentRows(numbers.astype(np.int32), numbers, numbers, np.ones(count, np.int32))
    return HnswSegment(rows, graph, path)


@pytest.mark.parametrize("queries", [1, 5])
@pytest.mark.parametrize("share", [1.0, 0.95])
def test_a_graph_is_scanned_by_pieces_that_together_are_the_whole(tmp_path: Path, queries: int, share: float) -> None:
    random = np.random.default_rng(0)
    vectors = unit_length(random.standard_normal((7_500, 8_192), dtype=np.float32))
    segment = scanned_segment(vectors, tmp_path / "graph")
    table = RowTable(segment.vectors, segment.rows.document_keys, segment.rows.text_revisions)
    passing, looks = random.random(len(vectors)) < share, []

    def clock() -> float:
        looks.append(0)
        return 0.0

    def search(effort: Effort) -> Candidates:
        return segment.search(vectors[:queries], table, MarkedRows(RowBits.of(passing)), spec(exact=True), effort)

    found = search(Effort(deadline=1, clock=clock))
    best = -np.sort(-np.where(passing, vectors[:queries] @ vectors.T, -np.inf), axis=1)[:, :10]
    assert np.allclose(found.scores, best, atol=1e-5)
    assert np.all(passing[found.rows])
    assert len(looks) >= 2
    with pytest.raises(Overdue):
        search(Effort(deadline=0))
