"""Builds in a process of their own: what they publish, and that their failure costs nothing."""

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from index_nodes.build_queue import BuildFailed, BuildQueue
from index_nodes.collection import SealRule
from index_nodes.version_index import VersionIndex
from tests.unit.index_nodes.builders import NAMESPACE, clustered_vectors, fill, spec, state

VECTORS = clustered_vectors(600, 16)


@pytest.fixture
def index(tmp_path: Path) -> VersionIndex:
    return VersionIndex(16, tmp_path / "v", SealRule(rows=300, quiet_rows=1, quiet_seconds=0.0))


def queue(index: VersionIndex, tmp_path: Path) -> BuildQueue:
    return BuildQueue(lambda: [index], tmp_path / "lock")


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
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


def test_rows_stay_searchable_when_a_build_fails(index: VersionIndex, tmp_path: Path) -> None:
    fill(index, VECTORS[:300])
    builds = queue(index, tmp_path)
    assert builds.build_next()
    graph_file = next(index.directory.iterdir())
    graph_file.write_bytes(b"damaged")
    index.apply([state(1_000 + key, VECTORS[key]) for key in range(300, 600)], now=0.0)
    with pytest.raises(BuildFailed, match="status"):
        builds.build_next()
    for key in (0, 299, 1_300, 1_599):
        found = index.search(NAMESPACE, VECTORS[key % 1_000][np.newaxis], spec(1))[0]
        assert found.document_keys.tolist() == [key]


def test_the_thread_builds_what_is_due_and_stops(index: VersionIndex, tmp_path: Path) -> None:
    fill(index, VECTORS)
    builds = queue(index, tmp_path)
    builds.start()
    until(lambda: index.tally()[1] == len(VECTORS))
    builds.stop()


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
