"""Searches that walk graphs of rounded vectors: scored again from the exact ones, they are as good as those of exact
graphs, whatever the graphs went through."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings
from hypothesis.stateful import initialize

from embedding_project.contracts.filters import Condition, Filter, to_wire
from embedding_project.contracts.hits import SCORE_DIGITS, Hit
from embedding_project.contracts.vector_storage import VectorStorage
from embedding_project.contracts.vectors import Vector, to_bytes
from embeddings_app.services.search.rescoring import exactly_scored, spare_hits
from index_nodes.graph_storage import storage_of
from index_nodes.hnsw_segment import HnswSegment
from index_nodes.oracle import ExactIndex
from index_nodes.version_index import VersionIndex
from tests.integration.index_nodes.test_version_index import DIMENSION as MACHINE_DIMENSION
from tests.integration.index_nodes.test_version_index import QUERY, IndexMachine
from tests.unit.index_nodes.builders import NAMESPACE, build_all, spec, state, vectors_and_clusters

ROWS, QUERIES, DIMENSION, TOP_K = 12_000, 100, 48, 10
WALK = 0.0
ROUNDED = (VectorStorage.FP16, VectorStorage.SQ8)
VECTORS, CLUSTERS = vectors_and_clusters(ROWS + QUERIES, DIMENSION)


def graphs(index: VersionIndex) -> list[HnswSegment]:
    return [segment for segment in index._collections[NAMESPACE].segments if isinstance(segment, HnswSegment)]


@pytest.fixture(scope="module", params=VectorStorage)
def index(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[VersionIndex]:
    """Built in steps: graphs that were extended, joined, and rebuilt after deletes; some rows in no graph."""
    made = VersionIndex(DIMENSION, tmp_path_factory.mktemp("nodes") / "v", storage=request.param)
    now = 0.0
    for start in range(0, ROWS - 100, 3_000):
        rows = range(start, min(start + 3_000, ROWS - 100))
        made.apply([state(row, VECTORS[row], metadata={"cluster": int(CLUSTERS[row])}) for row in rows], now)
        now += 1e6
        build_all(made, now)
    for row in range(0, ROWS - 100, 4):
        made.apply([state(row, None, revision=2)], now)
    now += 1e6
    build_all(made, now)
    made.apply(
        [state(row, VECTORS[row], metadata={"cluster": int(CLUSTERS[row])}) for row in range(ROWS - 100, ROWS)], now
    )
    yield made
    made.close()


LIVE = np.array([row for row in range(ROWS) if row % 4 or row >= ROWS - 100])


def found(index: VersionIndex, query: Vector, wire: str = "", exact: bool = False) -> list[Hit]:
    """What a client gets."""
    fetch = TOP_K + spare_hits(index.storage, TOP_K)
    wanted = spec(fetch, filter=wire, exact=exact, scan_factor=WALK)
    hits = list(index.search(NAMESPACE, query[np.newaxis], wanted)[0])
    if index.storage is VectorStorage.FP32:
        return hits[:TOP_K]
    return exactly_scored(query, hits, {hit.document_key: to_bytes(VECTORS[hit.document_key]) for hit in hits})[:TOP_K]


def recall(index: VersionIndex, rows: np.ndarray, wire: str = "", exact: bool = False) -> float:
    shares = []
    for query in VECTORS[ROWS:]:
        least = np.sort(VECTORS[rows].astype(np.float64) @ query)[-TOP_K]
        shares.append(np.mean([hit.score >= least - 1e-6 for hit in found(index, query, wire, exact)]))
    return float(np.mean(shares))


def test_the_graphs_hold_what_was_asked_for(index: VersionIndex) -> None:
    assert {storage_of(graph._graph) for graph in graphs(index)} == {index.storage}
    assert sum(graph.rows.live_count for graph in graphs(index)) == len(LIVE) - 100


def test_recall_is_that_of_exact_graphs(index: VersionIndex) -> None:
    assert recall(index, LIVE) >= 0.97


def test_an_exact_search_misses_nothing(index: VersionIndex) -> None:
    assert recall(index, LIVE, exact=True) >= 0.999


@pytest.mark.parametrize("clusters", [48, 24])
def test_recall_is_high_under_a_filter(index: VersionIndex, clusters: int) -> None:
    passing = LIVE[CLUSTERS[LIVE] < clusters]
    assert recall(index, passing, to_wire(Condition("cluster", "lt", clusters))) >= 0.97


def test_scores_are_those_of_the_exact_vectors(index: VersionIndex) -> None:
    for query in VECTORS[ROWS : ROWS + 20]:
        hits = found(index, query)
        exact = VECTORS[[hit.document_key for hit in hits]].astype(np.float64) @ query.astype(np.float64)
        assert np.allclose([hit.score for hit in hits], exact, rtol=0, atol=6e-7)
        assert hits == sorted(hits, key=lambda hit: (-hit.score, hit.document_key))


def test_several_queries_find_what_each_finds_alone(index: VersionIndex) -> None:
    for wanted in (spec(20, scan_factor=WALK), spec(20), spec(20, exact=True)):
        together = index.search(NAMESPACE, VECTORS[ROWS : ROWS + 8], wanted)
        for query, hits in zip(VECTORS[ROWS : ROWS + 8], together, strict=True):
            alone = index.search(NAMESPACE, query[np.newaxis], wanted)[0]
            assert np.allclose(alone.scores, hits.scores, atol=1e-5)


class RoundedMachine(IndexMachine):
    """Whatever order states come in, the answer is that of the oracle: all documents are fetched, and scored again."""

    storage = VectorStorage.FP16

    @initialize()
    def start(self) -> None:
        super().start()
        self.index.close()
        self.index = VersionIndex(MACHINE_DIMENSION, self.root / "r", self.seal_rule, storage=self.storage)

    def check(self, oracle: ExactIndex, namespace_key: int, node: Filter | None) -> None:
        wanted = spec(20, filter=to_wire(node) if node else "", scan_factor=WALK)
        for query, hits in zip(QUERY, self.index.search(namespace_key, QUERY, wanted), strict=True):
            stored = {key: to_bytes(document.vector) for key, document in oracle.documents.items()}
            nearest = oracle.search(namespace_key, query, 4, node)
            expected = [hit._replace(score=round(hit.score, SCORE_DIGITS)) for hit in nearest]
            assert exactly_scored(query, [*hits], stored)[:4] == expected


class SmallBytesMachine(RoundedMachine):
    storage = VectorStorage.SQ8


TestRoundedMachine = RoundedMachine.TestCase
TestRoundedMachine.settings = settings(max_examples=20, stateful_step_count=30, deadline=None)
TestSmallBytesMachine = SmallBytesMachine.TestCase
TestSmallBytesMachine.settings = settings(max_examples=20, stateful_step_count=30, deadline=None)


@pytest.mark.parametrize("storage", ROUNDED)
def test_a_graph_that_cannot_be_extended_is_made_anew_from_what_is_in_memory(
    storage: VectorStorage, tmp_path: Path
) -> None:
    index = VersionIndex(DIMENSION, tmp_path / "v", storage=storage)
    index.apply([state(row, VECTORS[row]) for row in range(9_000)], 0.0)
    build_all(index, 1e6)
    index.apply([state(row, VECTORS[row]) for row in range(9_000, 12_000)], 1e6)
    namespace_key, job = index.next_build(2e6) or pytest.fail("no build is due")
    index.note_failed_build(namespace_key, job, 2e6)
    build_all(index, 3e6)
    (graph,) = graphs(index)
    assert (graph.rows.count, storage_of(graph._graph)) == (12_000, storage)
    assert np.abs(graph.vectors[:] - VECTORS[graph.rows.document_keys]).max() < 0.01
