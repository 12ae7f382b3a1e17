"""When a replica may answer, and which queues it consumes: decided from times alone."""

from dataclasses import replace
from pathlib import Path

import pytest

from embedding_project.contracts.queues import search_queue
from index_nodes.service import usual_search_threads
from index_nodes.serving import FENCE_SECONDS, MAX_LAG_SECONDS, NEVER, LightRule, ServedVersion, Serving
from index_nodes.version_index import VersionIndex

NOW = 1_000.0
QUEUE = search_queue(7, 5, 3)


@pytest.fixture
def version(tmp_path: Path) -> ServedVersion:
    return ServedVersion(index=VersionIndex(4, tmp_path / "v"), caught_up_at=NOW - 0.1, announced_at=NOW - 50)


@pytest.fixture
def serving(version: ServedVersion) -> Serving:
    return Serving(epoch="e", layout=7, heartbeat_at=NOW - 0.5, versions={5: version})


def test_a_replica_that_is_up_to_date_answers_and_consumes(serving: Serving, version: ServedVersion) -> None:
    assert serving.index(5, "e", NOW) is version.index
    assert serving.queues(3, NOW) == (QUEUE,)


def test_another_epoch_or_an_unknown_version_is_behind(serving: Serving) -> None:
    assert serving.index(5, "other", NOW) is None
    assert serving.index(6, "e", NOW) is None


@pytest.mark.parametrize("caught_up_at", [NOW - MAX_LAG_SECONDS, NEVER])
def test_a_version_that_lags_or_loads_leaves_its_own_queue_alone(
    serving: Serving, version: ServedVersion, caught_up_at: float
) -> None:
    lagging = replace(version, caught_up_at=caught_up_at)
    serving = replace(serving, versions={5: version, 6: lagging})
    assert serving.index(6, "e", NOW) is None
    assert serving.index(5, "e", NOW) is version.index
    assert serving.queues(3, NOW) == (QUEUE,)


def test_every_version_that_is_up_to_date_has_its_queue(serving: Serving, version: ServedVersion) -> None:
    serving = replace(serving, versions={5: version, 6: version})
    assert serving.queues(3, NOW) == (QUEUE, search_queue(7, 6, 3))


def test_what_was_acknowledged_before_the_announcement_must_be_applied_first(
    serving: Serving, version: ServedVersion
) -> None:
    announced = replace(version, caught_up_at=NOW - 0.2, announced_at=NOW - 0.1)
    assert replace(serving, versions={5: announced}).index(5, "e", NOW) is None
    caught_up = replace(announced, caught_up_at=NOW - 0.05)
    assert replace(serving, versions={5: caught_up}).index(5, "e", NOW) is version.index


def test_a_replica_whose_heartbeat_does_not_arrive_fences_itself(serving: Serving) -> None:
    silent = replace(serving, heartbeat_at=NOW - FENCE_SECONDS)
    assert silent.index(5, "e", NOW) is None
    assert silent.queues(3, NOW) == ()


def test_a_hanging_follower_makes_it_leave_by_the_clock_alone(serving: Serving) -> None:
    assert serving.queues(3, NOW + MAX_LAG_SECONDS) == ()


def test_a_replica_that_yields_takes_no_searches_but_answers_those_that_it_has(
    serving: Serving, version: ServedVersion
) -> None:
    serving = replace(serving, versions={5: replace(version, yields=True), 6: version})
    assert serving.queues(3, NOW) == (search_queue(7, 6, 3),)
    assert serving.index(5, "e", NOW) is version.index


@pytest.mark.parametrize(
    ("documents", "unbuilt", "light"),
    [(0, 0, True), (100_000, 65_536, True), (100_000, 65_537, False), (1_000_000, 200_000, True)],
)
def test_a_replica_is_light_when_few_documents_or_a_small_share_are_in_no_graph(
    documents: int, unbuilt: int, light: bool
) -> None:
    assert LightRule().is_light(documents, unbuilt) == light


def test_without_a_layout_nothing_is_consumed(serving: Serving) -> None:
    assert replace(serving, layout=None).queues(3, NOW) == ()


@pytest.mark.parametrize(("cores", "threads"), [(1, 1), (2, 1), (4, 1), (8, 2), (16, 4), (64, 4)])
def test_a_node_leaves_most_cores_to_others(cores: int, threads: int) -> None:
    assert usual_search_threads(cores) == threads
