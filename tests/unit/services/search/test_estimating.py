"""What a search will cost a node, by the documents that it has to read."""

import pytest

from embedding_project.contracts.filters import parse_filter
from embedding_project.contracts.limits import MAX_TOP_K
from embedding_project.contracts.messages import ShardQuery
from embeddings_app.records.shard_sizes import ReplicaSizes
from embeddings_app.services.search.carrying import MAX_MICROSECONDS
from embeddings_app.services.search.estimating import ShardSizes, estimate, may_pass_few, of_heavy

DIMENSION = 384
MILLION = 1_000_000
HEAVY = 20_000.0
Shape = dict[str, object]


def query(*, exact: bool = False, top_k: int = 14, ef_search: int = 100) -> ShardQuery:
    return ShardQuery(version_key=1, namespace_key=1, top_k=top_k, ef_search=ef_search, exact=exact, filter="")


def cost(documents: int, shape: Shape | None = None, *, exact: bool = False, top_k: int = 14) -> float:
    return estimate(query(exact=exact, top_k=top_k), parse_filter(shape), DIMENSION, documents).sure


def test_a_walk_of_a_graph_costs_the_same_at_any_size() -> None:
    assert cost(100_000) == cost(10 * MILLION) < 1_000
    assert 64 * cost(MILLION) < MAX_MICROSECONDS, "as many as one message may hold"


def test_a_small_namespace_costs_little_whatever_is_asked() -> None:
    assert cost(100, top_k=4 * MAX_TOP_K) < 500


def test_an_exact_search_costs_what_it_reads() -> None:
    small, large = cost(1_000, exact=True), cost(10 * MILLION, exact=True)
    assert small < 1_000
    assert large > HEAVY
    assert large / cost(MILLION, exact=True) == pytest.approx(10, rel=0.01)
    wide = estimate(query(exact=True), None, 8 * DIMENSION, MILLION).sure
    assert wide > 5 * cost(MILLION, exact=True)


def test_many_hits_cost_more_than_few() -> None:
    assert cost(MILLION, top_k=14) < cost(MILLION, top_k=4 * MAX_TOP_K) < HEAVY


@pytest.mark.parametrize(
    "shape", [{"a": 1}, {"a": {"in": [1, 2]}}, {"a": 1, "b": {"ne": 2}}, {"or": [{"a": 1}, {"b": {"gt": 5}}]}]
)
@pytest.mark.parametrize("exact", [False, True])
def test_a_filter_that_may_pass_few_is_light_until_a_node_says_otherwise(shape: Shape, exact: bool) -> None:
    found = parse_filter(shape)
    assert found is not None
    assert may_pass_few(found)
    assert cost(10 * MILLION, shape, exact=exact) < HEAVY
    assert estimate(query(exact=exact), found, DIMENSION, 10 * MILLION).most > HEAVY
    assert of_heavy(query(exact=exact), found, DIMENSION, 10 * MILLION) > cost(10 * MILLION, exact=True)


@pytest.mark.parametrize(
    "shape", [{"a": {"ne": 1}}, {"not": {"a": 1}}, {"or": [{"a": 1}, {"b": {"nin": [1]}}]}, {"a": {"exists": False}}]
)
def test_a_filter_that_cannot_is_tested_on_every_document(shape: Shape) -> None:
    found = parse_filter(shape)
    assert found is not None
    assert not may_pass_few(found)
    assert cost(10_000, shape) < 2_000
    assert cost(10 * MILLION, shape) > HEAVY


def test_of_a_shard_the_replica_with_the_most_documents_counts() -> None:
    sizes = ShardSizes.of([ReplicaSizes({1: 50_000, 2: 9_000}, 4_096), ReplicaSizes({1: 60_000}, 4_096)])
    assert [sizes.documents(key) for key in (1, 2, 3)] == [60_000, 9_000, 4_096]


def test_where_no_replica_says_anything_nothing_is_known() -> None:
    assert ShardSizes.of([]).documents(1) == 0


def test_a_replica_that_names_no_namespace_bounds_all_of_them() -> None:
    assert ShardSizes.of([ReplicaSizes({}, MILLION)]).documents(1) == MILLION
