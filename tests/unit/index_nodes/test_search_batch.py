"""One message of queries: every query gets its own outcome, in the order of the message."""

import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from embedding_project.contracts.filters import Condition, to_wire
from embedding_project.contracts.hits import ShardHits
from embedding_project.contracts.messages import BEHIND, HEAVY, SearchBatch, ShardQuery
from index_nodes.effort import ANY_EFFORT, Effort
from index_nodes.metrics import QUERIES
from index_nodes.node import FAILED, search_batch
from index_nodes.serving import LogKey, ServedVersion, Serving
from index_nodes.version_index import VersionIndex
from tests.unit.index_nodes.builders import NAMESPACE, clustered_vectors, fill

LAYOUT = 1
VECTORS = clustered_vectors(50, 8)


@pytest.fixture
def serving(tmp_path: Path) -> Serving:
    index = VersionIndex(8, tmp_path / "v")
    fill(index, VECTORS, [{"n": number} for number in range(len(VECTORS))])
    now = time.monotonic()
    version = ServedVersion(index=index, caught_up_at=now, announced_at=0.0)
    return Serving(epoch="e", heartbeat_at=now, versions={LogKey(LAYOUT, 1): version})


def query(version_key: int = 1, namespace_key: int = NAMESPACE, top_k: int = 3, wire: str = "") -> ShardQuery:
    return ShardQuery(
        version_key=version_key, namespace_key=namespace_key, top_k=top_k, ef_search=100, exact=False, filter=wire
    )


def batch(*queries: ShardQuery, vectors: np.ndarray = VECTORS) -> SearchBatch:
    return SearchBatch(
        fanout_id="f", inbox="i", epoch="e", deadline=time.time() + 5, queries=queries, vectors=vectors[: len(queries)]
    )


def keys(outcome: ShardHits | str) -> list[int]:
    assert isinstance(outcome, ShardHits)
    return [hit.document_key for hit in outcome]


def test_each_query_gets_the_hits_of_its_own_vector_and_settings(serving: Serving) -> None:
    high = to_wire(Condition("n", "gte", 25))
    queries = [query(), query(top_k=1), query(wire=high), query(), query(wire=high)]
    outcomes = search_batch(serving, LAYOUT, batch(*queries), ANY_EFFORT)
    assert [keys(outcome)[0] for outcome in (outcomes[0], outcomes[1], outcomes[3])] == [0, 1, 3]
    assert [len(keys(outcome)) for outcome in outcomes] == [3, 1, 3, 3, 3]
    assert min(keys(outcomes[2]) + keys(outcomes[4])) >= 25


def test_hits_survive_the_wire(serving: Serving) -> None:
    decoded = SearchBatch.from_wire(batch(query()).to_wire())
    assert keys(search_batch(serving, LAYOUT, decoded, ANY_EFFORT)[0])[0] == 0


def test_an_unknown_namespace_has_no_hits(serving: Serving) -> None:
    assert keys(search_batch(serving, LAYOUT, batch(query(namespace_key=9)), ANY_EFFORT)[0]) == []


def test_a_version_that_is_not_served_is_behind_and_others_are_answered(serving: Serving) -> None:
    outcomes = search_batch(serving, LAYOUT, batch(query(version_key=2), query()), ANY_EFFORT)
    assert outcomes[0] == BEHIND
    assert keys(outcomes[1])[0] == 1


def test_a_fault_fails_its_group_alone_and_logs_nothing_of_the_user(
    serving: Serving, caplog: pytest.LogCaptureFixture
) -> None:
    outcomes = search_batch(serving, LAYOUT, batch(query(wire='["c","secret"]'), query()), ANY_EFFORT)
    assert outcomes[0] == FAILED
    assert keys(outcomes[1])[0] == 1
    assert "ValueError" in caplog.text
    assert "secret" not in caplog.text


def test_a_replica_that_is_not_consistent_answers_behind(serving: Serving) -> None:
    assert search_batch(serving, LAYOUT, batch(query()), Effort(clock=lambda: time.monotonic() + 10)) == [BEHIND]


def test_no_group_is_begun_that_nobody_waits_for(serving: Serving) -> None:
    now, expired = time.monotonic(), QUERIES.labels("expired")._value.get()
    times = iter([now, now + 0.1, now + 0.2])
    outcomes = search_batch(
        serving,
        LAYOUT,
        batch(query(), query(top_k=2), query(), query(top_k=1)),
        Effort(deadline=now + 0.2, clock=lambda: next(times)),
    )
    assert [len(keys(outcome)) for outcome in outcomes[:3]] == [3, 2, 3]
    assert outcomes[3] == FAILED
    assert QUERIES.labels("expired")._value.get() == expired + 1


def test_what_is_too_heavy_for_its_lane_is_handed_back_and_the_others_are_answered(serving: Serving) -> None:
    heavy = replace(query(), exact=True)
    outcomes = search_batch(serving, LAYOUT, batch(query(), heavy, query(), heavy), Effort(most_microseconds=1))
    assert [outcomes[1], outcomes[3]] == [HEAVY, HEAVY]
    assert [keys(outcomes[place])[0] for place in (0, 2)] == [0, 2]
    assert keys(search_batch(serving, LAYOUT, batch(heavy), ANY_EFFORT)[0])[0] == 0


def test_a_search_is_left_in_the_middle_when_nobody_waits_for_it_any_more(tmp_path: Path) -> None:
    index, now = VersionIndex(8, tmp_path / "v"), time.monotonic()
    fill(index, clustered_vectors(20_000, 8))
    version = ServedVersion(index=index, caught_up_at=now, announced_at=0.0)
    served = Serving(epoch="e", heartbeat_at=now, versions={LogKey(LAYOUT, 1): version})
    expired, times = QUERIES.labels("expired")._value.get(), iter([now, now + 0.1, now + 0.2])
    effort = Effort(deadline=now + 0.2, clock=lambda: next(times))
    assert search_batch(served, LAYOUT, batch(replace(query(), exact=True)), effort) == [FAILED]
    assert QUERIES.labels("expired")._value.get() == expired + 1
