"""Counts by index nodes that run: they say what a walk through Postgres says, whatever the index does not know yet."""

import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from embedding_project.contracts.filters import Filter, parse_filter
from embedding_project.contracts.queues import SearchLane, search_queue
from embeddings_app.records import census_basis
from embeddings_app.records.claims import MAX_ATTEMPTS
from embeddings_app.records.topology import Topology, read_topology
from embeddings_app.services import namespaces, topology
from embeddings_app.services.documents.deleting import delete
from embeddings_app.services.documents.index_census import index_census
from embeddings_app.services.documents.listing import Count, Facet, count_documents, count_values
from index_nodes.drainer import SearchDrainer
from index_nodes.memory_budget import MemoryBudget
from index_nodes.metrics import QUERIES
from index_nodes.node import ShardNode
from tests.integration.indexing_steps import NAMESPACE, failing, index, make_due, put, rows
from tests.integration.test_index_node import version_key

FILTERS: list[dict[str, Any] | None] = [
    None,
    {"kind": "a"},
    {"n": {"gte": 10, "lt": 25}},
    {"in.deep": "x"},
    {"tags": {"contains": "t1"}},
    {"not": {"kind": "a"}},
    {"nobody": "has this"},
]
PATHS = ["kind", "n", "in.deep", "tags", "nobody"]
WHOLE = 100_000
"""Rows of a window that ends a walk at once, so that no index is asked."""


@pytest.fixture
def nodes(database: str, redis: Redis, tmp_path: Path) -> Iterator[Topology]:
    """A node for each shard, and the thread of each that answers questions for counts."""
    current = read_topology()
    topology.forget_cached()
    with ExitStack() as running:
        for shard in range(current.shards):
            node = ShardNode(
                database_url=database,
                nodes_dir=tmp_path,
                shard=shard,
                replica=0,
                snapshot_seconds=0,
                memory=MemoryBudget(0),
                heavy_microseconds=1.0,
            )
            node.start()
            running.callback(node.stop)
            drainer = SearchDrainer(redis, node, SearchLane.HEAVY)
            thread = threading.Thread(target=drainer.run)
            thread.start()
            running.callback(thread.join, 5)
            running.callback(drainer.stop)
        yield current


def answered() -> float:
    return float(QUERIES.labels("answered")._value.get())


def by_walk(path: str, filter_: Filter | None) -> tuple[Count, Facet]:
    return (
        count_documents(NAMESPACE, filter_, window=WHOLE),
        count_values(NAMESPACE, path, filter_, limit=1_000, window=WHOLE),
    )


def by_index(path: str, filter_: Filter | None) -> tuple[Count, Facet]:
    return (
        count_documents(NAMESPACE, filter_, window=1),
        count_values(NAMESPACE, path, filter_, limit=1_000, window=1),
    )


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def answers() -> bool:
    return index_census(namespaces.namespace(NAMESPACE), None, "", time.monotonic() + 5) is not None


def metadata(number: int) -> dict[str, Any]:
    return {
        "kind": "ab"[number % 2],
        "n": number if number % 3 else float(number),
        "in": {"deep": "xyz"[number % 3]},
        "tags": [f"t{number % 4}", f"t{number % 4}", True, 1],
    }


def fill(count: int) -> None:
    for number in range(count):
        put((f"d{number}", f"text {number}"), metadata=metadata(number))
    index()


def agree() -> None:
    before = answered()
    for filter_ in (parse_filter(one) if one else None for one in FILTERS):
        for path in PATHS:
            assert by_index(path, filter_) == by_walk(path, filter_), (filter_, path)
    assert answered() > before, "no count was made by a node"


def test_counts_are_those_of_postgres(nodes: Topology) -> None:
    fill(40)
    until(answers)
    agree()
    put(("d1", "text 1"), metadata={"kind": "c"})
    delete(NAMESPACE, "d2")
    agree()


def test_documents_that_the_index_does_not_know_are_counted(nodes: Topology) -> None:
    fill(20)
    until(answers)
    put(("d3", "another text"), ("new", "a new text"), metadata={"kind": "a", "n": 11})
    agree()
    put(("bad", "a text that fails"), metadata={"kind": "a"})
    for _ in range(MAX_ATTEMPTS):
        make_due()
        index(lambda spec, texts: failing("model_error", len(texts)))
    assert rows("SELECT count(*) FROM embedding_record WHERE state = 'quarantined'")[0][0] > 0
    agree()


def test_documents_whose_time_is_over_are_not_counted(nodes: Topology) -> None:
    fill(20)
    until(answers)
    over = datetime.now(UTC) - timedelta(seconds=1)
    rows("UPDATE document SET expires_at = %s WHERE doc_id IN ('d4', 'd5') RETURNING 1", over)
    assert count_documents(NAMESPACE, None, window=1).count == 18
    agree()


def test_a_count_knows_what_was_acknowledged_a_moment_ago(nodes: Topology) -> None:
    fill(10)
    until(answers)
    kinds = random.Random(1)
    for number in range(30):
        kind = kinds.choice("abc")
        put((f"d{number % 12}", f"text {number}"), metadata={"kind": kind})
        if number % 3 == 0:
            index()
        if number % 7 == 0:
            delete(NAMESPACE, f"d{kinds.randrange(12)}")
        assert by_index("kind", None) == by_walk("kind", None)


def test_a_node_that_is_away_costs_no_answer(database: str, redis: Redis) -> None:
    topology.forget_cached()
    fill(10)
    current = read_topology()
    for _ in range(8):
        assert count_documents(NAMESPACE, None, window=1) == Count(10, is_exact=True)
    waiting = [
        redis.llen(search_queue(current.layout, version_key(), shard, SearchLane.HEAVY))
        for shard in range(current.shards)
    ]
    assert max(map(int, waiting)) <= 5, "questions that nobody answers must not pile up"


def test_more_unsettled_documents_than_a_count_takes_are_left_to_the_walk(nodes: Topology) -> None:
    fill(5)
    put(*((f"w{number}", f"waits {number}") for number in range(3)))
    space, layout = namespaces.namespace(NAMESPACE), nodes.layout
    assert census_basis.read_basis(space.pk, version_key(), layout, most=2) is None
    found = census_basis.read_basis(space.pk, version_key(), layout, most=3)
    assert found is not None
    assert len(found.others) == 3
    assert census_basis.read_basis(space.pk, version_key() + 1_000, layout) is None, "an inactive version"
