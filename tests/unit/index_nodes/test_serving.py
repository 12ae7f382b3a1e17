"""When a replica may answer, and which queues it consumes: decided from times alone."""

from dataclasses import replace
from pathlib import Path

import pytest

from embedding_project.contracts.queues import layout_of, search_queue
from index_nodes.service import usual_search_threads
from index_nodes.serving import FENCE_SECONDS, MAX_LAG_SECONDS, NEVER, LightRule, LogKey, ServedVersion, Serving
from index_nodes.version_index import VersionIndex

NOW = 1_000.0
KEY, SECOND = LogKey(7, 5), LogKey(7, 6)
QUEUE = search_queue(7, 5, 3)


@pytest.fixture
def version(tmp_path: Path) -> ServedVersion:
    return ServedVersion(index=VersionIndex(4, tmp_path / "v"), caught_up_at=NOW - 0.1, announced_at=NOW - 50)


@pytest.fixture
def serving(version: ServedVersion) -> Serving:
    return Serving(epoch="e", heartbeat_at=NOW - 0.5, versions={KEY: version})


def test_a_replica_that_is_up_to_date_answers_and_consumes(serving: Serving, version: ServedVersion) -> None:
    assert serving.index(KEY, "e", NOW) is version.index
    assert serving.queues(3, NOW) == (QUEUE,)


def test_another_epoch_or_an_unknown_version_is_behind(serving: Serving) -> None:
    assert serving.index(KEY, "other", NOW) is None
    assert serving.index(SECOND, "e", NOW) is None


@pytest.mark.parametrize("caught_up_at", [NOW - MAX_LAG_SECONDS, NEVER])
def test_a_version_that_lags_or_loads_leaves_its_own_queue_alone(
    serving: Serving, version: ServedVersion, caught_up_at: float
) -> None:
    lagging = replace(version, caught_up_at=caught_up_at)
    serving = replace(serving, versions={KEY: version, SECOND: lagging})
    assert serving.index(SECOND, "e", NOW) is None
    assert serving.index(KEY, "e", NOW) is version.index
    assert serving.queues(3, NOW) == (QUEUE,)


def test_every_version_that_is_up_to_date_has_its_queue(serving: Serving, version: ServedVersion) -> None:
    serving = replace(serving, versions={KEY: version, SECOND: version})
    assert serving.queues(3, NOW) == (QUEUE, search_queue(7, 6, 3))


def test_what_was_acknowledged_before_the_announcement_must_be_applied_first(
    serving: Serving, version: ServedVersion
) -> None:
    announced = replace(version, caught_up_at=NOW - 0.2, announced_at=NOW - 0.1)
    assert replace(serving, versions={KEY: announced}).index(KEY, "e", NOW) is None
    caught_up = replace(announced, caught_up_at=NOW - 0.05)
    assert replace(serving, versions={KEY: caught_up}).index(KEY, "e", NOW) is version.index


def test_a_replica_whose_heartbeat_does_not_arrive_fences_itself(serving: Serving) -> None:
    silent = replace(serving, heartbeat_at=NOW - FENCE_SECONDS)
    assert silent.index(KEY, "e", NOW) is None
    assert silent.queues(3, NOW) == ()


def test_a_hanging_follower_makes_it_leave_by_the_clock_alone(serving: Serving) -> None:
    assert serving.queues(3, NOW + MAX_LAG_SECONDS) == ()


def test_a_replica_that_yields_takes_no_searches_but_answers_those_that_it_has(
    serving: Serving, version: ServedVersion
) -> None:
    serving = replace(serving, versions={KEY: replace(version, yields=True), SECOND: version})
    assert serving.queues(3, NOW) == (search_queue(7, 6, 3),)
    assert serving.index(KEY, "e", NOW) is version.index


@pytest.mark.parametrize(
    ("documents", "unbuilt", "light"),
    [(0, 0, True), (100_000, 65_536, True), (100_000, 65_537, False), (1_000_000, 200_000, True)],
)
def test_a_replica_is_light_when_few_documents_or_a_small_share_are_in_no_graph(
    documents: int, unbuilt: int, light: bool
) -> None:
    assert LightRule().is_light(documents, unbuilt) == light


def test_layouts_live_side_by_side(serving: Serving, version: ServedVersion) -> None:
    other = replace(version, index=version.index)
    serving = replace(serving, versions={KEY: version, LogKey(8, 5): other})
    assert serving.queues(3, NOW) == (QUEUE, search_queue(8, 5, 3))
    assert [layout_of(queue) for queue in serving.queues(3, NOW)] == [7, 8]
    assert serving.index(LogKey(9, 5), "e", NOW) is None


@pytest.mark.parametrize("queue", ["embed.bulk", "search.ctl.s0.r0", "search", ""])
def test_only_search_queues_name_a_layout(queue: str) -> None:
    with pytest.raises(ValueError, match="search"):
        layout_of(queue)


@pytest.mark.parametrize(("cores", "threads"), [(1, 1), (2, 1), (4, 1), (8, 2), (16, 4), (64, 4)])
def test_a_node_leaves_most_cores_to_others(cores: int, threads: int) -> None:
    assert usual_search_threads(cores) == threads
