"""Graph answers: near enough to the exact ones, filtered or not, and never fewer than there are."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from embedding_project.contracts.filters import Condition, to_wire
from embedding_project.contracts.hits import ShardHits
from index_nodes.hnsw_segment import raised_ef, rows_worth_a_scan
from index_nodes.scan import SearchSpec
from index_nodes.seal_rule import SealRule
from index_nodes.version_index import VersionIndex
from tests.unit.index_nodes.builders import NAMESPACE, build_all, fill, spec, state, vectors_and_clusters

ROWS, QUERIES, DIMENSION = 6_000, 100, 96
SHARES = (1.0, 0.9, 0.5, 0.3, 0.1, 0.02, 0.001, 0.0001)


WALK = 0.0
"""Scan factor under which a graph is walked whatever the filter."""
VECTORS, CLUSTERS_OF = vectors_and_clusters(ROWS + QUERIES, DIMENSION)


@pytest.fixture(scope="module")
def vectors() -> np.ndarray:
    return VECTORS


@pytest.fixture(scope="module")
def index(vectors: np.ndarray, tmp_path_factory: pytest.TempPathFactory) -> Iterator[VersionIndex]:
    index = VersionIndex(DIMENSION, tmp_path_factory.mktemp("nodes") / "v")
    # Evenly spread, independent of the vector: a filter on `place` below s * ROWS selects a share of s.
    places = np.random.default_rng(1).permutation(ROWS)
    fill(
        index,
        vectors[:ROWS],
        [{"place": int(place), "cluster": int(cluster)} for place, cluster in zip(places, CLUSTERS_OF, strict=False)],
    )
    build_all(index)
    yield index
    index.close()


def recall(found: list[ShardHits], exact: list[ShardHits]) -> float:
    """Share of the hits that are as near as the exact ones; equal texts may stand for each other."""
    near = [np.mean(hits.scores >= best.scores[-1] - 1e-5) for hits, best in zip(found, exact, strict=True)]
    return float(np.mean(near))


def below(share: float) -> str:
    return to_wire(Condition("place", "lt", share * ROWS))


def test_everything_is_in_one_graph(index: VersionIndex) -> None:
    assert list(index.segments()) == [(NAMESPACE, True, ROWS, ROWS)]
    assert index.tally()[:2] == (ROWS, ROWS)


@pytest.mark.parametrize("top_k", [10, 100])
def test_recall_is_high(index: VersionIndex, vectors: np.ndarray, top_k: int) -> None:
    queries = vectors[ROWS:]
    exact = index.search(NAMESPACE, queries, spec(top_k, exact=True))
    wanted = SearchSpec(top_k=top_k, ef_search=max(100, 2 * top_k), exact=False, filter="")
    assert recall(index.search(NAMESPACE, queries, wanted), exact) >= 0.97


@pytest.mark.parametrize("share", SHARES)
def test_recall_is_high_under_a_filter(index: VersionIndex, vectors: np.ndarray, share: float) -> None:
    queries, filter_ = vectors[ROWS:], below(share)
    exact = index.search(NAMESPACE, queries, spec(exact=True, filter=filter_))
    for scan_factor in (1.0, WALK):
        found = index.search(NAMESPACE, queries, spec(filter=filter_, scan_factor=scan_factor))
        assert recall(found, exact) >= 0.97


@pytest.mark.parametrize("clusters", [60, 48, 32, 16, 6, 3, 1])
def test_recall_is_high_under_a_filter_that_leads_away_from_the_query(
    index: VersionIndex, vectors: np.ndarray, clusters: int
) -> None:
    # Nothing near the query passes, so a walk must find its way through what is hidden.
    queries = vectors[ROWS:][CLUSTERS_OF[ROWS:] >= clusters]
    filter_ = to_wire(Condition("cluster", "lt", clusters))
    exact = index.search(NAMESPACE, queries, spec(exact=True, filter=filter_))
    for scan_factor in (1.0, WALK):
        found = index.search(NAMESPACE, queries, spec(filter=filter_, scan_factor=scan_factor))
        assert recall(found, exact) >= 0.97


@pytest.mark.parametrize("share", SHARES)
@pytest.mark.parametrize("top_k", [1, 50, 1_000])
def test_there_are_never_fewer_hits_than_match(
    index: VersionIndex, vectors: np.ndarray, share: float, top_k: int
) -> None:
    matching = int(np.ceil(share * ROWS))
    for scan_factor in (1.0, WALK):
        wanted = spec(top_k, ef_search=1, filter=below(share), scan_factor=scan_factor)
        for hits in index.search(NAMESPACE, vectors[ROWS : ROWS + 3], wanted):
            assert len(set(hits.document_keys.tolist())) == min(top_k, matching)
            assert np.all(np.diff(hits.scores) <= 0)


def test_one_query_and_many_give_the_same(index: VersionIndex, vectors: np.ndarray) -> None:
    queries = vectors[ROWS : ROWS + 20]
    far = to_wire(Condition("cluster", "lt", 3))
    ways = (spec(), spec(exact=True), spec(filter=below(0.1)), spec(filter=far), spec(filter=far, scan_factor=WALK))
    for wanted in ways:
        together = index.search(NAMESPACE, queries, wanted)
        alone = [index.search(NAMESPACE, query[np.newaxis], wanted)[0] for query in queries]
        for one, other in zip(together, alone, strict=True):
            assert np.allclose(one.scores, other.scores, atol=1e-5)


@pytest.mark.parametrize("in_graphs", [0, 150, 4_000])
def test_the_first_hits_of_a_longer_answer_are_the_shorter_answer(
    vectors: np.ndarray, tmp_path: Path, in_graphs: int
) -> None:
    # Documents of few vectors, written in disorder, in a graph and beside it.
    alike = vectors[np.random.default_rng(2).integers(0, 20, 4_000)]
    keys = np.random.default_rng(3).permutation(4_000).tolist()
    index = VersionIndex(DIMENSION, tmp_path / "v", SealRule(rows=10_000, quiet_rows=1))
    states = [state(key, vector) for key, vector in zip(keys, alike, strict=True)]
    index.apply(states[:in_graphs], now=0.0)
    build_all(index)
    index.apply(states[in_graphs:], now=2e9)
    for query in vectors[:5]:
        for exact in (False, True):
            longest = index.search(NAMESPACE, query[np.newaxis], spec(1_000, exact=exact))[0]
            assert np.array_equal(np.lexsort((longest.document_keys, -longest.scores)), np.arange(1_000))
            for top_k in (1, 10, 14, 200):
                shorter = index.search(NAMESPACE, query[np.newaxis], spec(top_k, exact=exact))[0]
                assert shorter.document_keys.tolist() == longest.document_keys[:top_k].tolist()


def test_a_vector_has_one_score_wherever_it_lies_and_however_it_is_searched(
    vectors: np.ndarray, tmp_path: Path
) -> None:
    index = VersionIndex(DIMENSION, tmp_path / "v")
    fill(index, vectors[:300])
    build_all(index)
    index.apply([state(1_000 + key, vectors[key]) for key in range(300)], now=2e9)
    for queries in (vectors[:1], vectors[:40]):
        for wanted in (spec(40), spec(40, exact=True)):
            for hits in index.search(NAMESPACE, queries, wanted):
                assert hits.document_keys[::2].tolist() == (hits.document_keys[1::2] - 1_000).tolist()
                assert np.array_equal(hits.scores[::2], hits.scores[1::2])
                assert np.all(np.abs(hits.scores) <= 1)
                assert np.array_equal(hits.scores, np.round(hits.scores, 6))


def test_deleted_documents_are_gone_and_worn_graphs_are_rebuilt(vectors: np.ndarray, tmp_path: Path) -> None:
    index = VersionIndex(DIMENSION, tmp_path / "v")
    fill(index, vectors[:3_000])
    build_all(index)
    dead = range(0, 3_000, 4)
    index.apply([state(key, None, revision=2) for key in dead], now=0.0)
    queries = vectors[:40]
    for hits in index.search(NAMESPACE, queries, spec(50, ef_search=50)):
        assert len(hits.document_keys) == 50
        assert not set(hits.document_keys.tolist()) & set(dead)
    build_all(index)
    assert list(index.segments()) == [(NAMESPACE, True, 2_250, 2_250)]
    assert index.search(NAMESPACE, vectors[1:2], spec(1))[0].document_keys.tolist() == [1]


def test_files_of_replaced_graphs_are_removed(vectors: np.ndarray, tmp_path: Path) -> None:
    index = VersionIndex(DIMENSION, tmp_path / "v")
    fill(index, vectors[:300])
    build_all(index)
    index.apply([state(1_000 + key, vectors[key]) for key in range(300)], now=0.0)
    build_all(index)
    assert len(list(index.directory.iterdir())) == 1
    index.close()
    assert not index.directory.exists()


def test_a_query_of_another_dimension_is_refused(index: VersionIndex) -> None:
    with pytest.raises(ValueError, match="dimension"):
        index.search(NAMESPACE, np.ones((1, 3), np.float32), spec())


def test_ef_is_raised_by_what_the_filter_hides_up_to_a_limit() -> None:
    assert raised_ef(100, 10, 1_000, 1_000) == 100
    assert raised_ef(100, 10, 500, 1_000) == 200
    assert raised_ef(100, 10, 1, 1_000) == 1_500
    assert raised_ef(4_096, 10, 1, 1_000) == 4_096
    assert raised_ef(100, 1_000, 1_000, 1_000) == 1_000


def test_few_matches_are_scanned() -> None:
    assert rows_worth_a_scan(25_000, 1_000_000, 100) >= 25_000
    assert rows_worth_a_scan(30_000, 1_000_000, 1_500) < 30_000
    assert rows_worth_a_scan(1_000, 1_000, 100) >= 1_000
    assert rows_worth_a_scan(30_000, 30_000, 100) < 30_000
