"""Namespaces that nobody writes cost an index nothing, and those that became empty go away."""

from pathlib import Path

import pytest

from index_nodes.build_agenda import NOT_BY_TIME, BuildAgenda, NextStep
from index_nodes.build_lanes import ANY_SIZE, Lane
from index_nodes.collection import OUTLIVED_SECONDS
from index_nodes.seal_rule import SealRule
from index_nodes.snapshot_contents import read_contents
from index_nodes.snapshot_files import verified
from index_nodes.snapshot_load import restore
from index_nodes.snapshot_store import SnapshotStore
from index_nodes.version_index import FEW_UNBUILT, VersionIndex
from tests.unit.index_nodes.builders import build_all, clustered_vectors, state
from tests.unit.index_nodes.snapshots import write

DIMENSION = 8
VECTORS = clustered_vectors(300, DIMENSION)
QUIET = SealRule(rows=200, quiet_rows=100, quiet_seconds=10.0)


class CountingAgenda(BuildAgenda):
    """Says which namespaces were looked at."""

    def __init__(self) -> None:
        super().__init__()
        self.looks: list[int] = []

    def note(self, namespace_key: int, step: NextStep) -> None:
        self.looks.append(namespace_key)
        super().note(namespace_key, step)


@pytest.fixture
def agenda() -> CountingAgenda:
    return CountingAgenda()


@pytest.fixture
def index(tmp_path: Path, agenda: CountingAgenda) -> VersionIndex:
    return VersionIndex(DIMENSION, tmp_path / "v", QUIET, agenda)


def write_rows(index: VersionIndex, namespace_key: int, count: int, now: float) -> None:
    first = 1_000 * namespace_key
    index.apply([state(first + row, VECTORS[row], namespace_key=namespace_key) for row in range(count)], now)


def delete_rows(index: VersionIndex, namespace_key: int, count: int, now: float) -> None:
    first = 1_000 * namespace_key
    index.apply([state(first + row, None, namespace_key=namespace_key, revision=2) for row in range(count)], now)


def test_a_namespace_is_looked_at_once_after_it_changed(index: VersionIndex, agenda: CountingAgenda) -> None:
    for namespace_key in range(1, 6):
        write_rows(index, namespace_key, 10, now=0.0)
    assert index.next_build(now=0.1) is None
    assert sorted(agenda.looks) == [1, 2, 3, 4, 5]
    agenda.looks.clear()
    assert index.next_build(now=100.0) is None
    assert agenda.looks == []
    write_rows(index, 3, 20, now=100.0)
    assert index.next_build(now=100.1) is None
    assert agenda.looks == [3]


def test_a_fresh_segment_is_looked_at_again_when_it_has_been_quiet(index: VersionIndex, agenda: CountingAgenda) -> None:
    write_rows(index, 1, 150, now=5.0)
    write_rows(index, 2, 50, now=5.0)
    assert index.next_build(now=5.1) is None
    agenda.looks.clear()
    assert index.next_build(now=14.9) is None
    assert agenda.looks == []
    assert index.rows_due(now=15.0) == 150
    assert agenda.looks == [1]
    build = index.next_build(now=15.0)
    assert build is not None
    assert (build[0], build[1].added) == (1, 150)


def test_an_empty_namespace_goes_away_with_its_files_and_from_snapshots(index: VersionIndex, tmp_path: Path) -> None:
    write_rows(index, 1, 10, now=0.0)
    write_rows(index, 2, 300, now=0.0)
    build_all(index, now=20.0)
    delete_rows(index, 2, 300, now=30.0)
    build_all(index, now=30.0 + OUTLIVED_SECONDS - 1)
    assert index.namespaces() == [1, 2]
    assert index.next_build(now=30.0 + OUTLIVED_SECONDS) is None
    assert index.namespaces() == [1]
    assert index.segment_counts() == (1, 0)
    assert index.tally()[:2] == (10, 0)
    assert list(index.directory.iterdir()) == []
    folder = write(index, SnapshotStore(tmp_path / "snapshots"), seq=7)
    assert list(read_contents(folder, DIMENSION, tmp_path)) == [1]


def test_a_namespace_that_is_written_again_in_time_stays(index: VersionIndex) -> None:
    write_rows(index, 1, 10, now=0.0)
    delete_rows(index, 1, 10, now=1.0)
    assert index.next_build(now=2.0) is None
    index.apply([state(5_000, VECTORS[0])], now=OUTLIVED_SECONDS)
    assert index.next_build(now=2 * OUTLIVED_SECONDS) is None
    assert index.tally()[0] == 1


def test_the_agenda_names_the_smallest_build_of_a_lane() -> None:
    agenda = BuildAgenda()
    assert agenda.next(ANY_SIZE) is None
    for key, rows in ((1, 300), (2, 900), (3, None)):
        agenda.note(key, NextStep(rows=rows, again_at=NOT_BY_TIME))
    assert agenda.next(ANY_SIZE) == (1, 300)
    assert agenda.next(Lane(name="large", least_rows=301)) == (2, 900)
    agenda.note(1, NextStep(rows=None, again_at=7.0))
    assert agenda.next(ANY_SIZE) == (2, 900)
    assert (agenda.to_look_at(6.9), agenda.to_look_at(7.0)) == ([], [1])


def test_the_backlog_is_that_of_the_namespace_with_most_documents_in_no_graph(tmp_path: Path) -> None:
    index = VersionIndex(DIMENSION, tmp_path / "backlog", SealRule(rows=2_000, quiet_rows=100, quiet_seconds=10.0))
    vectors = clustered_vectors(2 * FEW_UNBUILT, DIMENSION)
    first = [state(key, vectors[key], namespace_key=1) for key in range(FEW_UNBUILT - 1)]
    index.apply(first, now=0.0)
    assert index.backlog() == 0
    index.apply([state(10_000 + key, vectors[key], namespace_key=2) for key in range(2 * FEW_UNBUILT)], now=0.0)
    assert index.backlog() == 2 * FEW_UNBUILT
    index.apply([state(10_000, None, namespace_key=2, revision=2)], now=0.0)
    assert index.backlog() == 2 * FEW_UNBUILT - 1
    folder = write(index, SnapshotStore(tmp_path / "snapshots"), seq=1)
    again = VersionIndex(DIMENSION, tmp_path / "again")
    restore(folder, verified(folder), again)
    assert again.backlog() == 2 * FEW_UNBUILT - 1
    build_all(index, now=20.0)
    assert index.backlog() == 0


def test_a_namespace_waits_for_a_build_whatever_others_have_in_graphs(tmp_path: Path) -> None:
    rule = SealRule(rows=300, quiet_rows=100, quiet_seconds=10.0, waiting_rows=500)
    index = VersionIndex(DIMENSION, tmp_path / "overdue", rule)
    vectors = clustered_vectors(1_800, DIMENSION)

    def write_more(namespace_key: int, first: int, beyond: int, now: float) -> None:
        rows = range(first, beyond)
        index.apply(
            [state(2_000 * namespace_key + row, vectors[row], namespace_key=namespace_key) for row in rows], now
        )

    write_more(1, 0, 1_200, now=0.0)
    assert index.overdue() == 1
    build_all(index, now=20.0)
    assert (index.tally()[1], index.overdue()) == (1_200, 0)
    write_more(2, 0, 600, now=30.0)
    assert (index.backlog(), index.overdue()) == (600, 0), "the build waits for 500 rows, in segments of 300"
    write_more(2, 600, 601, now=30.0)
    assert index.overdue() == 1, "one of two namespaces"
    write_more(1, 1_200, 1_800, now=30.0)
    assert index.overdue() == 1, "with 1,200 rows in graphs it waits for as many"
    build_all(index, now=60.0)
    assert index.overdue() == 0
