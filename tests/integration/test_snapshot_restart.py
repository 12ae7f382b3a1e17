"""A follower that starts with snapshots on its disk ends up with what Postgres has, from them where they still fit."""

import logging
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from embeddings_app.services.documents.deleting import delete
from index_nodes import log_reader
from index_nodes.log_follower import Follower, Pace
from index_nodes.metrics import LOAD_SECONDS, REBUILDS
from index_nodes.snapshot_writer import write_snapshot
from index_nodes.version_replica import LoadPace
from tests.integration.indexing_steps import NAMESPACE, index, put, rows
from tests.integration.registry_steps import retired
from tests.integration.test_index_node import (
    REPLICA,
    SHARD,
    converged,
    log_key,
    ready,
    served,
    until,
    version_key,
    write,
)


@pytest.fixture
def start(database: str, tmp_path: Path) -> Iterator[Callable[..., Follower]]:
    """Starts a follower as a process would that comes back on the same disk; the one before has ended."""
    (tmp_path / "node").mkdir()
    made: list[Follower] = []

    def begin(pace: Pace | None = None) -> Follower:
        for earlier in made:
            earlier._drop(lambda _: True)
        made.append(Follower(database, SHARD, REPLICA, tmp_path / "node", pace))
        return made[-1]

    yield begin
    for follower in made:
        follower._drop(lambda _: True)


@pytest.fixture
def connection(database: str) -> Iterator[log_reader.Connection]:
    with log_reader.connect(database, "test-node") as opened:
        yield opened


def snapshot(follower: Follower) -> Path:
    (source,) = (source for source in follower.snapshot_sources() if source.log.version_key == version_key())
    return write_snapshot(source)


def loads(source: str) -> float:
    return next(
        sample.value
        for metric in LOAD_SECONDS.labels(source).collect()
        for sample in metric.samples
        if sample.name.endswith("_count")
    )


def replica(column: str) -> object:
    found = rows(f"SELECT {column} FROM shard_replica WHERE model_version_id = %s AND shard = %s", version_key(), SHARD)
    return found[0][0]


@pytest.fixture
def written(start: Callable[[], Follower], connection: log_reader.Connection) -> Path:
    """A snapshot of forty documents, and a log that has gone on since then."""
    follower = start()
    write(*(f"text {number}" for number in range(40)))
    converged(follower, connection)
    folder = snapshot(follower)
    write(*(f"later {number}" for number in range(20)))
    delete(NAMESPACE, "text 3")
    put(("text 4", "another text"))
    index()
    return folder


def test_it_starts_from_the_snapshot_and_follows_from_there(
    written: Path, start: Callable[[], Follower], connection: log_reader.Connection
) -> None:
    before = loads("snapshot"), loads("postgres")
    follower = start()
    converged(follower, connection)
    assert (loads("snapshot"), loads("postgres")) == (before[0] + 1, before[1])
    assert replica("snapshot_seq") == int(written.name.split("-")[0])
    assert replica("extract(epoch FROM snapshot_at)::float8") == pytest.approx(written.stat().st_mtime, abs=60)
    assert replica("segments->>'flat'") == "1"
    assert replica("segments->>'graph'") == "0"


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE log_epoch SET epoch = gen_random_uuid()",
        "DELETE FROM shard_change",
        "DELETE FROM shard_change WHERE seq <= (SELECT max(applied_seq) + 1 FROM shard_replica)",
        "UPDATE shard_counter SET head = 0",
    ],
    ids=["another epoch", "lost log", "trimmed log", "beyond the head"],
)
def test_a_snapshot_that_its_log_does_not_continue_is_removed(
    written: Path, start: Callable[[], Follower], connection: log_reader.Connection, change: str
) -> None:
    before = loads("postgres")
    connection.execute(change)
    converged(start(), connection)
    assert loads("postgres") == before + 1
    assert not written.exists()
    assert replica("snapshot_seq") == 0
    assert replica("snapshot_at") is None


def test_a_gap_behind_the_snapshot_removes_it_too(
    written: Path, start: Callable[[], Follower], connection: log_reader.Connection
) -> None:
    connection.execute("DELETE FROM shard_change WHERE seq = (SELECT max(applied_seq) + 3 FROM shard_replica)")
    before, rebuilds = loads("postgres"), REBUILDS._value.get()
    converged(start(), connection)
    assert (loads("postgres"), REBUILDS._value.get()) == (before + 1, rebuilds + 1)
    assert not written.exists()


def test_an_entry_that_names_nothing_is_a_gap(
    start: Callable[[], Follower], connection: log_reader.Connection, caplog: pytest.LogCaptureFixture
) -> None:
    follower = start()
    write(*(f"text {number}" for number in range(10)))
    converged(follower, connection)
    write(*(f"later {number}" for number in range(10)))
    connection.execute(
        "UPDATE shard_change SET kind = 'segment', document_id = NULL, revision = NULL WHERE seq = %s AND shard = %s",
        (follower.serving.versions[log_key(version_key())].applied + 2, SHARD),
    )
    converged(follower, connection)
    assert any("gap" in record.message for record in caplog.records)


def test_a_damaged_snapshot_costs_no_more_than_a_load_from_postgres(
    written: Path, start: Callable[[], Follower], connection: log_reader.Connection
) -> None:
    (written / "stamps.npy").write_bytes(b"")
    before = loads("postgres")
    converged(start(), connection)
    assert loads("postgres") == before + 1
    assert [path.name for path in written.parent.iterdir()] == [f"damaged-{written.name}"]


def test_a_start_keeps_snapshots_and_nothing_else(
    written: Path, start: Callable[[], Follower], connection: log_reader.Connection
) -> None:
    node = written.parents[2]
    (node / "v1-left").mkdir()
    follower = start()
    try:
        follower.start(keep_snapshots=True)
        deadline = time.monotonic() + 60
        while not ready(follower):
            assert time.monotonic() < deadline
            time.sleep(0.02)
        assert not (node / "v1-left").exists()
        assert written.exists()
    finally:
        follower.stop()
    off = start()
    off.start(keep_snapshots=False)
    off.stop()
    assert not written.exists()


def test_the_snapshots_of_a_retired_version_are_removed(
    written: Path, start: Callable[[], Follower], connection: log_reader.Connection
) -> None:
    follower = start()
    converged(follower, connection)
    with retired(connection, version_key()):
        follower.round(connection)
        assert not written.parent.exists()


def test_a_load_from_postgres_tells_how_far_it_is(
    start: Callable[[Pace], Follower], connection: log_reader.Connection, caplog: pytest.LogCaptureFixture
) -> None:
    eager = Pace(heartbeat_seconds=0, soonest_heartbeat_seconds=0, load=LoadPace(rows=5, tell_seconds=0))
    caplog.set_level(logging.INFO, "index_nodes")
    write(*(f"text {number}" for number in range(60)))
    follower = start(eager)
    seen: list[tuple[object, ...]] = []

    def loaded() -> bool:
        seen.extend(rows("SELECT documents, loading_total FROM shard_replica WHERE loading_total > 0"))
        return ready(follower)

    until(follower, connection, loaded)
    converged(follower, connection)
    documents = served(follower).tally()[0]
    assert seen[:3] == [(5, documents), (10, documents), (15, documents)]
    assert replica("loading_total") == 0
    lines = [record.message for record in caplog.records if " loaded " in record.message]
    assert lines[0] == f"version {version_key()}: loaded 5 of {documents} documents"
