"""A follower over the real log: it ends up with what Postgres has, whatever happened to the log meanwhile."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from django.core.management import call_command
from django.db import connection as django_connection

from embeddings_app.records.shard_sizes import ReplicaSizes, read_sizes
from embeddings_app.records.topology import applied_by_all, await_seqs, heads, read_topology
from embeddings_app.services.documents.deleting import delete
from index_nodes import log_reader
from index_nodes.log_follower import Follower, Pace
from index_nodes.metrics import REBUILDS
from index_nodes.scan import SearchSpec
from index_nodes.serving import LightRule, LogKey
from index_nodes.version_index import VersionIndex
from tests.integration.indexing_steps import NAMESPACE, embedded, index, put, rows
from tests.integration.registry_steps import retire, retired
from tests.integration.shard_digests import ShardDigest, shard_digest
from tests.unit.index_nodes.builders import build_all

SHARD, REPLICA = 0, 0


@pytest.fixture
def follower(database: str, tmp_path: Path) -> Follower:
    made = Follower(database, SHARD, REPLICA, tmp_path / "node")
    (tmp_path / "node").mkdir()
    return made


@pytest.fixture
def connection(database: str) -> Iterator[log_reader.Connection]:
    with log_reader.connect(database, "test-node") as opened:
        yield opened


def until(follower: Follower, connection: log_reader.Connection, condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(follower.round(connection))


def ready(follower: Follower) -> bool:
    return len(follower.serving.queues(SHARD, time.monotonic())) == len(follower.serving.versions) > 0


def version_key() -> int:
    key: int = rows("SELECT id FROM model_registry WHERE status = 'active' ORDER BY id LIMIT 1")[0][0]
    return key


def log_key(version_key: int) -> LogKey:
    return LogKey(read_topology().layout, version_key)


def served(follower: Follower) -> VersionIndex:
    found = follower.serving.index(log_key(version_key()), follower.serving.epoch, time.monotonic())
    assert found is not None
    return found


def converged(follower: Follower, connection: log_reader.Connection) -> None:
    """Follow to the head, and compare with what SQL computes."""
    head = "SELECT head FROM shard_counter WHERE layout_id = %s AND model_version_id = %s AND shard = %s"
    log = (read_topology().layout, version_key(), SHARD)
    applied = (
        "SELECT applied_seq, state FROM shard_replica WHERE layout_id = %s AND model_version_id = %s AND shard = %s"
    )
    until(follower, connection, lambda: rows(applied, *log) == [(rows(head, *log)[0][0], "ready")] and ready(follower))
    documents, _, digest = served(follower).tally()
    assert shard_digest(*log) == ShardDigest(digest, documents)


def write(*texts: str) -> None:
    put(*((text, text) for text in texts))
    index()


def test_no_statement_of_the_service_is_compiled(connection: log_reader.Connection) -> None:
    """After an estimate that is far off, each round of a node would spend seconds in the compiler."""
    assert connection.execute("SHOW jit").fetchone() == ("off",)
    assert rows("SHOW jit") == [("off",)]


def test_a_follower_loads_and_then_follows(follower: Follower, connection: log_reader.Connection) -> None:
    write(*(f"early {number}" for number in range(20)))
    converged(follower, connection)
    write(*(f"late {number}" for number in range(20)))
    put(("late 1", "another text"))
    index()
    put(("late 2", "late 2"), metadata={"a": 1})
    index()
    delete(NAMESPACE, "early 3")
    converged(follower, connection)
    assert served(follower).tally()[0] > 0


def test_what_is_searched_is_what_was_written(follower: Follower, connection: log_reader.Connection) -> None:
    write(*(f"text {number}" for number in range(10)))
    converged(follower, connection)
    doc_id, key, namespace_key = rows(
        "SELECT doc_id, document_key, namespace_key FROM index_row r JOIN document d ON d.id = r.document_key "
        "WHERE r.shard = %s AND r.layout_id = %s LIMIT 1", SHARD, read_topology().layout
    )[0]  # fmt: skip
    vector = embedded(doc_id, served(follower).dimension).vector
    assert vector is not None
    query = (vector / np.linalg.norm(vector))[np.newaxis]
    spec = SearchSpec(top_k=1, ef_search=100, exact=False, filter="")
    hits = served(follower).search(namespace_key, query, spec)[0]
    assert hits.document_keys.tolist() == [key]
    assert hits.scores[0] == pytest.approx(1.0, abs=1e-4)


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE shard_counter SET head = head + 1",
        "UPDATE shard_counter SET head = 0",
        "UPDATE log_epoch SET epoch = gen_random_uuid()",
        "DELETE FROM shard_change",
    ],
    ids=["gap", "applied beyond the head", "another epoch", "lost log"],
)
def test_a_log_that_does_not_continue_makes_it_start_over(
    follower: Follower, connection: log_reader.Connection, damage: str
) -> None:
    write(*(f"text {number}" for number in range(20)))
    converged(follower, connection)
    before = served(follower)
    put(*((f"new {number}", f"new {number}") for number in range(20)))
    index()
    connection.execute(damage)
    follower.round(connection)
    converged(follower, connection)
    assert served(follower) is not before
    assert before.closed
    assert not before.directory.exists()


@pytest.fixture
def second_version(database: str) -> Iterator[int]:
    call_command("register_model", "--model-id", "second", "--type", "external", "--dimension", "4", "--activate")
    key = rows("SELECT id FROM model_registry WHERE model_id = 'second'")[0][0]
    yield key
    with django_connection.cursor() as cursor:
        retire(cursor, key)
        cursor.execute("UPDATE model_registry SET model_id = %s WHERE id = %s", [f"old-{key}", key])


def test_a_document_that_cannot_be_applied_costs_its_version_a_rest_and_nothing_else(
    follower: Follower, connection: log_reader.Connection, second_version: int
) -> None:
    write("text 0")
    converged(follower, connection)
    write(*(f"text {number}" for number in range(20)))
    connection.execute("""UPDATE document SET metadata = '["of a user"]'""")
    before, rebuilds = dict(follower.serving.versions), REBUILDS._value.get()
    for _ in range(10):
        follower.round(connection)
    assert set(follower.serving.versions) == set(before) - {log_key(version_key())}
    assert follower.serving.versions[log_key(second_version)].index is before[log_key(second_version)].index
    assert REBUILDS._value.get() == rebuilds + 1
    connection.execute("UPDATE document SET metadata = '{}'")
    converged(follower, connection)


def test_a_retired_version_is_dropped(follower: Follower, connection: log_reader.Connection) -> None:
    write("text")
    converged(follower, connection)
    before, key = served(follower), version_key()
    with retired(connection, key):
        follower.round(connection)
        assert log_key(key) not in follower.serving.versions
        assert before.closed


def test_what_it_has_applied_is_said_at_once_when_somebody_waits_for_it(
    database: str, tmp_path: Path, connection: log_reader.Connection
) -> None:
    (tmp_path / "node").mkdir()
    slow = Pace(heartbeat_seconds=60, news_heartbeat_seconds=60, soonest_heartbeat_seconds=0)
    follower = Follower(database, SHARD, REPLICA, tmp_path / "node", slow)
    write("text 0")
    converged(follower, connection)
    layout, version = read_topology().layout, version_key()

    def told() -> int:
        for _ in range(3):
            follower.round(connection)
        return applied_by_all(layout, version)[SHARD]

    for turn in range(2):
        before = told()
        write(*(f"text {turn} {number}" for number in range(20)))
        head = heads(layout, version, [SHARD])[SHARD]
        assert told() == before < head
        await_seqs(layout, version, {SHARD: head})
        assert told() == head


def test_a_heartbeat_says_how_large_namespaces_may_be(follower: Follower, connection: log_reader.Connection) -> None:
    write(*(f"text {number}" for number in range(10)))
    converged(follower, connection)
    documents = served(follower).tally()[0]
    of_log = read_topology().layout, version_key()
    assert read_sizes(*of_log) == [ReplicaSizes({}, documents)]
    rows("UPDATE shard_replica SET namespace_sizes = %s::jsonb RETURNING id", '{"named": {"7": 9000}, "others": 3}')
    assert read_sizes(*of_log) == [ReplicaSizes({7: 9_000}, 3)]
    rows("UPDATE shard_replica SET namespace_sizes = NULL RETURNING id")
    assert read_sizes(*of_log) == [ReplicaSizes({}, documents)]


def peer(*, state: str = "ready", unbuilt: int = 0, silent: float = 0.0) -> None:
    """What another replica of the shard says, each time anew."""
    statement = """
        INSERT INTO shard_replica (layout_id, model_version_id, shard, replica, epoch, state, documents,
                                   graph_documents, unbuilt_documents, heartbeat, applied_seq, digest)
        SELECT l.id, %s, %s, 7, e.epoch, %s, 300, 0, %s, now() - make_interval(secs => %s), 0, 0
        FROM layout l, log_epoch e WHERE l.status = 'active'
        ON CONFLICT (layout_id, model_version_id, shard, replica) DO UPDATE SET
            state = excluded.state, unbuilt_documents = excluded.unbuilt_documents, heartbeat = excluded.heartbeat
        RETURNING id
    """
    rows(statement, version_key(), SHARD, state, unbuilt, silent)


def test_a_replica_without_graphs_leaves_searches_to_one_with_graphs_as_long_as_that_answers(
    database: str, tmp_path: Path, connection: log_reader.Connection
) -> None:
    rule = LightRule(most_unbuilt=280, most_unbuilt_share=0.0, peer_seconds=60.0)
    (tmp_path / "node").mkdir()
    follower = Follower(database, SHARD, REPLICA, tmp_path / "node", Pace(light=rule))
    for start in range(0, 700, 100):
        write(*(f"text {number}" for number in range(start, start + 100)))
    converged(follower, connection)
    assert served(follower).backlog() > rule.most_unbuilt

    def takes_searches() -> bool:
        follower.round(connection)
        return bool(follower.serving.queues(SHARD, time.monotonic()))

    peer()
    assert not takes_searches()
    served(follower)  # a search that it has already is answered
    tellings = [("behind", 0, 0.0), ("ready", 0, 90.0), ("ready", 281, 0.0)]
    for state, unbuilt, silent in tellings:
        peer(state=state, unbuilt=unbuilt, silent=silent)
        assert takes_searches()
        peer()
        assert not takes_searches()
    build_all(served(follower))
    assert takes_searches()


def test_it_answers_only_after_its_heartbeat_said_that_it_is_ready(
    follower: Follower, connection: log_reader.Connection
) -> None:
    write("text")
    state = "SELECT state FROM shard_replica WHERE model_version_id = %s"
    for _ in range(20):
        follower.round(connection)
        if ready(follower):
            break
        time.sleep(0.03)
    assert rows(state, version_key()) == [("ready",)]
    assert ready(follower)
