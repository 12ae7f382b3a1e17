"""A version that does not fit into the memory of a node is refused in words; the others are served; it loads later."""

import itertools
import logging
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from embeddings_app.models import ModelRegistry
from embeddings_app.records.log_trimming import log_floors
from embeddings_app.records.operations import replica_progress
from embeddings_app.records.topology import replica_problems
from embeddings_app.services.model_versions.reading import version_problems
from index_nodes import log_reader
from index_nodes.log_follower import Follower, Pace
from index_nodes.memory_budget import MemoryBudget
from index_nodes.metrics import REFUSED_LOADS
from index_nodes.snapshot_writer import write_snapshot
from index_nodes.version_replica import LoadPace
from tests.integration.indexing_steps import rows
from tests.integration.test_index_node import REPLICA, SHARD, converged, served, until, version_key, write

MIB = 2**20


class Machine:
    """One whose free memory is what a test says."""

    def __init__(self, root: Path, spared: int = 0) -> None:
        self._file = root / "proc" / "meminfo"
        (root / "proc" / "self").mkdir(parents=True)
        (root / "proc" / "self" / "statm").write_text("300 200 100\n")
        times = itertools.count()
        self.budget = MemoryBudget(spared=spared, root=root, clock=lambda: float(next(times)))
        self.has(64 * MIB)

    def has(self, free: int) -> None:
        self._file.write_text(f"MemAvailable: {free // 1024} kB\n")


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path / "kernel")


@pytest.fixture
def start(database: str, tmp_path: Path, machine: Machine) -> Iterator[Callable[[], Follower]]:
    """Starts a follower on the same disk as the one before, which has ended."""
    (tmp_path / "node").mkdir()
    made: list[Follower] = []

    def begin() -> Follower:
        for earlier in made:
            earlier._drop(lambda _: True)
        made.append(Follower(database, SHARD, REPLICA, tmp_path / "node", memory=machine.budget))
        return made[-1]

    yield begin
    for follower in made:
        follower._drop(lambda _: True)


@pytest.fixture
def connection(database: str) -> Iterator[log_reader.Connection]:
    with log_reader.connect(database, "test-node") as opened:
        yield opened


def told() -> tuple[str, str]:
    statement = "SELECT state, problem FROM shard_replica WHERE model_version_id = %s AND shard = %s"
    found = rows(statement, version_key(), SHARD)
    return tuple(found[0]) if found else ("", "")


def test_it_is_refused_in_words_everywhere_and_loaded_when_there_is_room(
    start: Callable[[], Follower],
    connection: log_reader.Connection,
    machine: Machine,
    caplog: pytest.LogCaptureFixture,
) -> None:
    write(*(f"text {number}" for number in range(40)))
    machine.has(1024)
    before = REFUSED_LOADS._value.get()
    follower = start()
    until(follower, connection, lambda: told()[0] == "no_room")
    problem = told()[1]
    assert "documents from Postgres, needs about" in problem
    for _ in range(20):
        follower.round(connection)
    assert REFUSED_LOADS._value.get() == before + 1, "it is refused once, not in every round"
    assert [record.levelno for record in caplog.records if problem in record.message] == [logging.ERROR]
    assert [(found.place, found.problem) for found in replica_problems()] == [
        (f"shard {SHARD} replica {REPLICA}", problem)
    ]
    assert version_problems(ModelRegistry.objects.get(pk=version_key())) == [
        f"shard {SHARD} replica {REPLICA}: {problem}"
    ]
    (replica,) = (item for item in replica_progress() if item.shard == SHARD)
    assert (replica.ready, replica.problem, replica.documents) == (False, problem, 0)
    assert follower.snapshot_sources() == []
    machine.has(64 * MIB)
    converged(follower, connection)
    assert told() == ("ready", "")


def test_a_snapshot_that_does_not_fit_stays_and_is_used_later(
    start: Callable[[], Follower], connection: log_reader.Connection, machine: Machine
) -> None:
    write(*(f"text {number}" for number in range(40)))
    follower = start()
    converged(follower, connection)
    (source,) = (one for one in follower.snapshot_sources() if one.log.version_key == version_key())
    folder = write_snapshot(source)
    machine.has(1024)
    follower = start()
    until(follower, connection, lambda: told()[0] == "no_room")
    assert f"snapshot {folder.name}, needs about" in told()[1]
    assert folder.exists()
    write(*(f"later {number}" for number in range(10)))
    for _ in range(3):
        follower.round(connection)
    (log,) = (one for one in log_floors(24) if (one.version_key, one.shard) == (version_key(), SHARD))
    assert log.floor == int(folder.name.split("-")[0]), "the log is kept for the snapshot, and not from its beginning"
    machine.has(64 * MIB)
    converged(follower, connection)
    assert folder.exists()


def test_an_index_that_proves_larger_than_it_seemed_is_given_up_before_the_memory_is(
    database: str, tmp_path: Path, connection: log_reader.Connection
) -> None:
    machine = Machine(tmp_path / "kernel", spared=10 * MIB)
    (tmp_path / "node").mkdir()
    pace = Pace(heartbeat_seconds=0, soonest_heartbeat_seconds=0, load=LoadPace(rows=5))
    follower = Follower(database, SHARD, REPLICA, tmp_path / "node", pace, machine.budget)
    write(*(f"text {number}" for number in range(60)))
    until(follower, connection, lambda: follower.indexes()[0].tally()[0] > 0 if follower.indexes() else False)
    machine.has(0)
    until(follower, connection, lambda: told()[0] == "no_room")
    assert "is larger than it seemed: after" in told()[1]
    assert follower.indexes()[0].tally() == (0, 0, 0)
    machine.has(64 * MIB)
    for _ in range(3):
        follower.round(connection)
    assert told()[0] == "no_room", "with no more memory than before it would be given up again"
    machine.has(128 * MIB)
    converged(follower, connection)
    follower._drop(lambda _: True)


def test_other_versions_are_served_meanwhile(
    start: Callable[[], Follower], connection: log_reader.Connection, machine: Machine
) -> None:
    write(*(f"text {number}" for number in range(40)))
    follower = start()
    converged(follower, connection)
    index = served(follower)
    machine.has(0)
    write(*(f"more {number}" for number in range(10)))
    converged(follower, connection)
    assert served(follower) is index
