"""Builds in a process of their own: what they publish, and that their failure costs nothing."""

import os
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from index_nodes.build_lanes import ANY_SIZE, BACKGROUND, LANES, Lane
from index_nodes.build_queue import BuildFailed, BuildQueue
from index_nodes.builder import extend
from index_nodes.metrics import BUILDS, THREAD_SEEN
from index_nodes.seal_rule import SealRule
from index_nodes.version_index import VersionIndex
from tests.unit.index_nodes.builders import NAMESPACE, clustered_vectors, fill, spec, state

OTHER_NAMESPACE = NAMESPACE + 1
VECTORS = clustered_vectors(600, 16)


@pytest.fixture
def index(tmp_path: Path) -> VersionIndex:
    return VersionIndex(16, tmp_path / "v", SealRule(rows=300, quiet_rows=1, quiet_seconds=0.0))


def queue(index: VersionIndex, tmp_path: Path) -> BuildQueue:
    return BuildQueue("s0-r0", lambda: [index], tmp_path)


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_sealed_rows_move_into_a_graph_which_is_extended(index: VersionIndex, tmp_path: Path) -> None:
    fill(index, VECTORS[:300])
    builds = queue(index, tmp_path)
    assert builds.build_next()
    assert not builds.build_next()
    index.apply([state(1_000 + key, VECTORS[key]) for key in range(300, 600)], now=0.0)
    index.apply([state(7, None, revision=2)], now=0.0)
    assert builds.build_next()
    assert list(index.segments()) == [(NAMESPACE, True, 600, 599)]
    assert index.tally()[:2] == (599, 599)
    assert [path.suffix for path in index.directory.iterdir()] == [".faiss"]


def damaged(graph: Path) -> None:
    graph.write_bytes(b"damaged")


def of_other_rows(graph: Path) -> None:
    extend(None, VECTORS[:10], graph)


@pytest.mark.parametrize("spoil", [damaged, of_other_rows, Path.unlink])
def test_a_bad_graph_file_costs_one_try_and_leaves_nothing_behind(
    index: VersionIndex, tmp_path: Path, spoil: Callable[[Path], None]
) -> None:
    fill(index, VECTORS[:300])
    builds = queue(index, tmp_path)
    assert builds.build_next()
    spoil(next(index.directory.iterdir()))
    other = [state(5_000 + key, VECTORS[key], namespace_key=OTHER_NAMESPACE) for key in range(400)]
    index.apply([state(1_000 + key, VECTORS[key]) for key in range(300, 600)] + other, now=0.0)
    before = set(index.directory.iterdir())
    with pytest.raises((BuildFailed, ValueError)):
        builds.build_next()
    assert set(index.directory.iterdir()) == before
    for key in (0, 299, 1_300, 1_599):
        found = index.search(NAMESPACE, VECTORS[key % 1_000][np.newaxis], spec(1))[0]
        assert found.document_keys.tolist() == [key]
    # The namespace of the bad file rests; the other one does not wait for it.
    assert builds.build_next()
    assert index.tally()[1] == 300 + 400
    builds.start()
    until(lambda: index.tally()[1] == index.tally()[0] == 1_000)
    builds.stop()
    assert sorted(index.segments()) == [(NAMESPACE, True, 600, 600), (OTHER_NAMESPACE, True, 400, 400)]
    assert [path.suffix for path in index.directory.iterdir()] == [".faiss", ".faiss"]


def test_a_namespace_rests_longer_after_each_failure(index: VersionIndex) -> None:
    fill(index, VECTORS[:300])
    build = index.next_build(now=1_000.0)
    for rest in (1, 2, 4, 8, 16, 32, 60, 60):
        assert build
        assert not index.next_build(now=1_000.0)
        index.note_failed_build(*build, now=1_000.0)
        assert not index.next_build(now=1_000.0 + rest - 0.1)
        build = index.next_build(now=1_000.0 + rest)


def test_every_version_gets_its_turn(index: VersionIndex, tmp_path: Path) -> None:
    second = VersionIndex(16, tmp_path / "second", SealRule(rows=300, quiet_rows=1, quiet_seconds=0.0))
    fill(index, VECTORS[:300])
    fill(second, VECTORS)
    builds = BuildQueue("s0-r0", lambda: [index, second], tmp_path)
    assert builds.build_next()
    assert (index.tally()[1], second.tally()[1]) == (300, 0)
    assert builds.build_next()
    assert second.tally()[1] == 600


@pytest.mark.parametrize("fault", [MemoryError, KeyError, AssertionError])
def test_the_thread_outlives_faults_that_nobody_foresaw(
    index: VersionIndex, tmp_path: Path, fault: type[Exception], caplog: pytest.LogCaptureFixture
) -> None:
    fill(index, VECTORS)
    faults = [fault("of a user")]

    def indexes() -> list[VersionIndex]:
        if faults:
            raise faults.pop()
        return [index]

    failed = BUILDS.labels("failed")._value.get()
    builds = BuildQueue("s0-r0", indexes, tmp_path)
    builds.start()
    until(lambda: index.tally()[1] == len(VECTORS))
    builds.stop()
    assert BUILDS.labels("failed")._value.get() == failed + 1
    assert fault.__name__ in caplog.text
    assert "of a user" not in caplog.text


def test_it_is_seen_that_the_thread_looks_for_work(index: VersionIndex, tmp_path: Path) -> None:
    builds = BuildQueue("s7-r7", lambda: [index], tmp_path)
    seen = THREAD_SEEN.labels("s7-r7", "builds-any")
    assert seen._value.get() == 0
    builds.start()
    until(lambda: seen._value.get() > 0)
    first = seen._value.get()
    until(lambda: seen._value.get() > first)
    builds.stop()


def test_the_thread_builds_what_is_due_and_stops(index: VersionIndex, tmp_path: Path) -> None:
    fill(index, VECTORS)
    builds = queue(index, tmp_path)
    builds.start()
    until(lambda: index.tally()[1] == len(VECTORS))
    builds.stop()
    assert 0 < index.built_per_second < 1_000_000


def test_an_index_that_was_dropped_is_not_built(index: VersionIndex, tmp_path: Path) -> None:
    fill(index, VECTORS)
    index.close()
    assert not queue(index, tmp_path).build_next()


def test_one_machine_builds_one_graph_at_a_time(index: VersionIndex, tmp_path: Path) -> None:
    fill(index, VECTORS)
    first, second = queue(index, tmp_path), queue(index, tmp_path)
    with first._only_builder():
        second.start()
        time.sleep(1.0)
        assert index.tally()[1] == 0
    until(lambda: index.tally()[1] == len(VECTORS))
    second.stop()


def test_a_small_build_does_not_wait_for_a_large_one(index: VersionIndex, tmp_path: Path) -> None:
    small, large = Lane(name="small", most_rows=300), Lane(name="large", least_rows=301)
    fill(index, VECTORS)
    other = [state(5_000 + key, VECTORS[key], namespace_key=OTHER_NAMESPACE) for key in range(200)]
    index.apply(other, now=0.0)
    queues = [BuildQueue("s0-r0", lambda: [index], tmp_path, lane) for lane in (small, large)]
    with BuildQueue("s0-r1", list[VersionIndex], tmp_path, large)._only_builder():
        for builds in queues:
            builds.start()
        until(lambda: index.tally()[1] == 200)
        assert [key for key, is_graph, _, _ in index.segments() if is_graph] == [OTHER_NAMESPACE]
    until(lambda: index.tally()[1] == 800)
    for builds in queues:
        builds.stop()


def test_rows_that_come_during_a_build_of_their_namespace_are_built_beside_it(index: VersionIndex) -> None:
    fill(index, VECTORS[:300])
    first = index.next_build(now=1.0)
    index.apply([state(key, VECTORS[key]) for key in range(300, 600)], now=2.0)
    second = index.next_build(now=3.0)
    assert first
    assert second
    assert first[1].added == second[1].added == 300
    assert not {source.segment.serial for source in first[1].sources} & set(second[1].plan.absorbed)
    assert index.next_build(now=4.0) is None


@pytest.mark.parametrize(("cores", "threads"), [(1, 1), (2, 2), (4, 2), (8, 4), (64, 32)])
def test_a_builder_takes_half_of_the_cores(cores: int, threads: int) -> None:
    assert {lane.threads(cores) for lane in (ANY_SIZE, *LANES)} == {threads}


@pytest.mark.parametrize(("cores", "threads"), [(1, 1), (2, 1), (4, 1), (8, 2), (64, 16)])
def test_a_builder_in_the_background_takes_a_quarter_of_the_cores(cores: int, threads: int) -> None:
    assert BACKGROUND.threads(cores) == threads


def test_a_builder_in_the_background_stands_back_further(tmp_path: Path) -> None:
    index = VersionIndex(256, tmp_path / "v", SealRule(rows=4_000, quiet_rows=1, quiet_seconds=0.0))
    vectors = clustered_vectors(4_000, 256)
    fill(index, vectors)
    builds = BuildQueue("s0-r0", lambda: [index], tmp_path, BACKGROUND)
    builds.start()
    wanted = min(os.getpriority(os.PRIO_PROCESS, 0) + BACKGROUND.niceness, 19)
    until(lambda: wanted in builder_priorities())
    until(lambda: index.tally()[1] == len(vectors))
    builds.stop()


def builder_priorities() -> set[int]:
    """Of the child processes of this one."""
    found = set()
    for children in Path("/proc/self/task").glob("*/children"):
        # A thread or a process may end meanwhile.
        with suppress(FileNotFoundError, ProcessLookupError):
            for pid in children.read_text(encoding="ascii").split():
                found.add(os.getpriority(os.PRIO_PROCESS, int(pid)))
    return found


def test_a_builder_gets_the_live_vectors_of_all_sources_in_order(index: VersionIndex, tmp_path: Path) -> None:
    fill(index, VECTORS)
    index.apply([state(7, None, revision=2), state(450, None, revision=2)], now=0.0)
    build = index.next_build(now=1.0)
    assert build
    build[1].save_vectors(tmp_path / "added.npy", 16)
    live = np.delete(VECTORS, [7, 450], axis=0)
    np.testing.assert_array_equal(np.load(tmp_path / "added.npy", mmap_mode="r"), live)
