"""Filtered rows of a graph that are compared by a bit a number first: as near as the exact ones, and never fewer."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from embedding_project.contracts.filters import Condition, to_wire
from embedding_project.contracts.search_costs import codes_microseconds
from embedding_project.contracts.vector_storage import VectorStorage
from index_nodes.coarse_codes import LEAST_DIMENSION, LEAST_ROWS, CoarseCodes
from index_nodes.effort import ANY_EFFORT, Effort, Overdue, TooHeavy
from index_nodes.hnsw_segment import HnswSegment
from index_nodes.row_bits import RowBits
from index_nodes.scan import RowTable
from index_nodes.selections import MarkedRows
from index_nodes.version_index import VersionIndex
from tests.unit.index_nodes.builders import NAMESPACE, build_all, fill, spec, vectors_and_clusters

ROWS, QUERIES, DIMENSION = 12_000, 60, 256
ALIKE = 400
VECTORS, CLUSTERS = vectors_and_clusters(ROWS + QUERIES, DIMENSION)
VECTORS[:ALIKE] = VECTORS[0]
PLACES = np.random.default_rng(1).permutation(ROWS)
ASKED = VECTORS[ROWS:]


@pytest.fixture(scope="module", params=VectorStorage)
def index(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[VersionIndex]:
    made = VersionIndex(DIMENSION, tmp_path_factory.mktemp("nodes") / "v", storage=request.param)
    fill(
        made,
        VECTORS[:ROWS],
        [
            {"place": int(place), "cluster": int(cluster)}
            for place, cluster in zip(PLACES, CLUSTERS[:ROWS], strict=True)
        ],
    )
    build_all(made)
    yield made
    made.close()


def of_graph(index: VersionIndex) -> HnswSegment:
    (segment,) = index._collections[NAMESPACE].segments
    assert isinstance(segment, HnswSegment)
    return segment


@pytest.mark.parametrize("top_k", [1, 10, 100, 1_500])
@pytest.mark.parametrize(
    "condition",
    [Condition("place", "lt", 2_000), Condition("cluster", "lt", 20), Condition("place", "lt", 1_100)],
    ids=["at random", "by cluster", "few"],
)
def test_what_is_found_is_as_near_as_the_exact_and_never_fewer(
    index: VersionIndex, condition: Condition, top_k: int
) -> None:
    passing = (PLACES if condition.path == "place" else CLUSTERS[:ROWS]) < condition.operand
    assert 1_024 < passing.sum() < 25_000
    wire = to_wire(condition)
    exact = index.search(NAMESPACE, ASKED, spec(top_k, exact=True, filter=wire))
    for queries in (ASKED, ASKED[:1]):
        near = []
        for hits, best in zip(index.search(NAMESPACE, queries, spec(top_k, filter=wire)), exact, strict=False):
            assert len(set(hits.document_keys.tolist())) == min(top_k, passing.sum())
            assert passing[hits.document_keys].all()
            near.append(np.mean(hits.scores >= best.scores[-1] - 1e-5))
        assert np.mean(near) >= 0.97


def test_a_walk_that_finds_too_few_is_followed_by_codes_where_the_lane_allows_them(index: VersionIndex) -> None:
    # The query is of a cluster that does not pass.
    wire = to_wire(Condition("cluster", "lt", 20))
    asked = ASKED[CLUSTERS[ROWS:] >= 20][:5]
    walked = spec(filter=wire, scan_factor=0.0)
    passing = int((CLUSTERS[:ROWS] < 20).sum())
    exact = index.search(NAMESPACE, asked, spec(exact=True, filter=wire))
    for hits, best in zip(index.search(NAMESPACE, asked, walked), exact, strict=True):
        assert np.mean(hits.scores >= best.scores[-1] - 1e-5) >= 0.9
    with pytest.raises(TooHeavy):
        index.search(NAMESPACE, asked, walked, Effort(most_microseconds=codes_microseconds(passing, DIMENSION) - 1))


@pytest.mark.parametrize("near", [True, False])
def test_it_finds_as_much_when_it_looks_first_what_passes_near_the_query(index: VersionIndex, near: bool) -> None:
    graph = of_graph(index)
    segment = HnswSegment(graph.rows, graph._graph, graph.path, many_codes=1_000)
    keys = graph.rows.document_keys
    table = RowTable(segment.vectors, keys, graph.rows.text_revisions)
    passing = CLUSTERS[keys] < 20
    asked = ASKED[(CLUSTERS[ROWS:] < 20) == near]
    for query in asked:
        found = segment.search(query[np.newaxis], table, MarkedRows(RowBits.of(passing)), spec())
        exact = segment.search(query[np.newaxis], table, MarkedRows(RowBits.of(passing)), spec(exact=True))
        assert passing[found.rows].all()
        assert np.mean(found.scores >= exact.scores[0, -1] - 1e-5) >= 0.8


def test_many_equal_scores_are_cut_by_document_key(index: VersionIndex) -> None:
    wire = to_wire(Condition("place", "lt", ROWS // 2))
    asked = VECTORS[:1]
    equal = np.flatnonzero(PLACES[:ALIKE] < ROWS // 2)
    for top_k in (1, 10, 100):
        (hits,) = index.search(NAMESPACE, asked, spec(top_k, filter=wire))
        assert hits.document_keys.tolist() == equal[:top_k].tolist()


def test_a_walk_among_equal_rows_that_passes_none_of_them_takes_no_hit_away(index: VersionIndex) -> None:
    # The best rows that pass are equal, too many to be scanned, and far from the query.
    graph = of_graph(index)
    segment = HnswSegment(graph.rows, graph._graph, graph.path, ties_scanned_rows=100)
    keys = graph.rows.document_keys
    table = RowTable(segment.vectors, keys, graph.rows.text_revisions)
    own = CLUSTERS[0]
    passing = (keys < ALIKE) | (CLUSTERS[keys] == own)
    asked = ASKED[CLUSTERS[ROWS:] != own]
    for query in asked:
        found = segment.search(query[np.newaxis], table, MarkedRows(RowBits.of(passing)), spec(scan_factor=0.0))
        assert np.isfinite(found.scores).all()
        assert passing[found.rows].all()


def test_small_graphs_and_short_vectors_have_none(index: VersionIndex, tmp_path: Path) -> None:
    assert of_graph(index)._coarse
    small = VersionIndex(8, tmp_path / "v")
    fill(small, VECTORS[:300, :8])
    build_all(small)
    assert of_graph(small)._coarse is None
    assert CoarseCodes.worthwhile(VECTORS[: LEAST_ROWS - 1]) is None
    assert CoarseCodes.worthwhile(VECTORS[:, : LEAST_DIMENSION - 1]) is None


def test_they_are_left_between_two_pieces_when_nobody_waits() -> None:
    codes = CoarseCodes(VECTORS[:ROWS])
    rows = np.arange(ROWS).repeat(4)
    assert all(len(line) == 20 for line in codes.nearest(ASKED, rows, 20, ANY_EFFORT).rows)
    with pytest.raises(Overdue):
        codes.nearest(ASKED, rows, 20, Effort(deadline=0))
