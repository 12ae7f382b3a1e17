"""Trimming: what nobody needs goes, what a live replica still needs stays, and nobody sees a difference."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from django.db import connection as django_connection

import embeddings_app.tasks  # noqa: F401
from embedding_project.celery import job_app
from embedding_project.contracts.errors import Unavailable
from embedding_project.contracts.queues import job_task
from embeddings_app.models import Layout, LayoutStatus
from embeddings_app.records.log_trimming import log_floors, trim_chunk
from embeddings_app.records.topology import create_counters, read_topology
from embeddings_app.services import namespaces
from embeddings_app.services.documents.deleting import delete
from embeddings_app.services.documents.namespace_status import namespace_status
from embeddings_app.services.indexing.trimming import trim_logs
from index_nodes import log_reader
from index_nodes.log_follower import Follower
from index_nodes.serving import NEVER
from tests.integration.held_documents import held_documents
from tests.integration.indexing_steps import NAMESPACE, index, put, rows
from tests.integration.registry_steps import retired
from tests.integration.shard_digests import ShardDigest, shard_digest
from tests.integration.test_index_node import SHARD, ready, served, until, version_key, write

HOURS = 24


@pytest.fixture
def connection(database: str) -> Iterator[log_reader.Connection]:
    with log_reader.connect(database, "test-node") as opened:
        yield opened


@pytest.fixture
def new_follower(database: str, tmp_path: Path) -> Callable[[int], Follower]:
    def make(replica: int) -> Follower:
        directory = tmp_path / f"node-{replica}"
        directory.mkdir()
        return Follower(database, SHARD, replica, directory)

    return make


@pytest.fixture
def second_layout(database: str) -> Iterator[Layout]:
    layout = Layout.objects.create(shards=1, status=LayoutStatus.BUILDING)
    create_counters(layout, version_key())
    yield layout
    rows("DELETE FROM shard_change WHERE layout_id = %s RETURNING 1", layout.pk)
    layout.delete()


def let_time_pass(connection: log_reader.Connection, hours: int = HOURS + 1) -> None:
    """Make everything older, replicas included; what is alive reports again."""
    for table, column in (("shard_change", "created_at"), ("document", "updated_at"), ("shard_replica", "heartbeat")):
        connection.execute(f"UPDATE {table} SET {column} = {column} - make_interval(hours => {hours})")


def log_lengths() -> list[int]:
    return [count for (count,) in rows("SELECT count(*) FROM shard_change GROUP BY layout_id, shard ORDER BY 1")]


def tombstones() -> list[str]:
    return [doc_id for (doc_id,) in rows("SELECT doc_id FROM document WHERE deleted ORDER BY doc_id")]


def follow(follower: Follower, connection: log_reader.Connection) -> None:
    """Follow to the head, say so now, and hold what SQL computes."""
    follower._heartbeat_at = NEVER
    until(follower, connection, lambda: ready(follower) and _reported_head(follower._replica))
    documents, _, digest = served(follower).tally()
    assert shard_digest(read_topology().layout, version_key(), SHARD) == ShardDigest(digest, documents)


def _reported_head(replica: int) -> bool:
    reported = rows(
        """
        SELECT r.applied_seq = c.head AND r.heartbeat > now() - interval '1 hour'
        FROM shard_replica r JOIN shard_counter c USING (layout_id, model_version_id, shard)
        WHERE r.model_version_id = %s AND r.shard = %s AND r.replica = %s
        """,
        version_key(),
        SHARD,
        replica,
    )
    return reported == [(True,)]


def test_entries_are_kept_for_the_retention(connection: log_reader.Connection) -> None:
    write(*(f"text {number}" for number in range(20)))
    let_time_pass(connection, HOURS - 1)
    trim_logs(HOURS)
    assert sum(log_lengths()) == 20


def test_what_is_old_and_applied_goes_and_the_follower_goes_on(
    new_follower: Callable[[int], Follower], connection: log_reader.Connection
) -> None:
    follower = new_follower(0)
    write(*(f"early {number}" for number in range(20)))
    delete(NAMESPACE, "early 3")
    follow(follower, connection)
    before = served(follower)
    let_time_pass(connection)
    follow(follower, connection)
    write(*(f"late {number}" for number in range(20)))
    trim_logs(HOURS)
    assert sum(log_lengths()) == 20
    assert tombstones() == []
    follow(follower, connection)
    assert served(follower) is before


def test_what_a_live_replica_has_not_applied_stays(
    new_follower: Callable[[int], Follower], connection: log_reader.Connection
) -> None:
    ahead, behind = new_follower(0), new_follower(1)
    write(*(f"early {number}" for number in range(20)))
    follow(ahead, connection)
    follow(behind, connection)
    before = served(behind)
    (needed,) = rows("SELECT head FROM shard_counter WHERE shard = %s AND head > 0", SHARD)[0]
    write(*(f"late {number}" for number in range(20)))
    delete(NAMESPACE, "late 1")
    delete(NAMESPACE, "late 2")
    let_time_pass(connection)
    connection.execute("UPDATE shard_replica SET heartbeat = now()")
    follow(ahead, connection)
    trim_logs(HOURS)
    assert rows("SELECT min(seq) FROM shard_change WHERE shard = %s", SHARD) == [(needed + 1,)]
    follow(behind, connection)
    assert served(behind) is before


def test_a_replica_that_was_away_longer_than_the_retention_begins_anew(
    new_follower: Callable[[int], Follower], connection: log_reader.Connection
) -> None:
    follower = new_follower(0)
    write(*(f"early {number}" for number in range(20)))
    follow(follower, connection)
    before = served(follower)
    write(*(f"late {number}" for number in range(20)))
    delete(NAMESPACE, "early 1")
    let_time_pass(connection)
    trim_logs(HOURS)
    assert (log_lengths(), tombstones()) == ([], [])
    write("last")
    follow(follower, connection)
    assert served(follower) is not before


def test_a_replica_that_was_stopped_is_forgotten_after_the_retention_and_known_again_when_it_is_back(
    new_follower: Callable[[int], Follower], connection: log_reader.Connection
) -> None:
    stays, stopped = new_follower(0), new_follower(1)
    write("one")
    follow(stays, connection)
    follow(stopped, connection)
    let_time_pass(connection)
    follow(stays, connection)
    trim_logs(HOURS)
    assert rows("SELECT replica FROM shard_replica") == [(0,)]
    follow(stopped, connection)
    assert rows("SELECT replica FROM shard_replica ORDER BY replica") == [(0,), (1,)]


def test_a_snapshot_keeps_the_log_from_where_it_stands(
    new_follower: Callable[[int], Follower], connection: log_reader.Connection
) -> None:
    write(*(f"early {number}" for number in range(20)))
    follow(new_follower(0), connection)
    let_time_pass(connection)
    connection.execute("UPDATE shard_replica SET heartbeat = now(), snapshot_seq = 3")
    trim_logs(HOURS)
    assert rows("SELECT min(seq) FROM shard_change WHERE shard = %s", SHARD) == [(4,)]


def test_replicas_of_an_older_history_hold_nothing_back(
    new_follower: Callable[[int], Follower], connection: log_reader.Connection
) -> None:
    write(*(f"early {number}" for number in range(20)))
    follow(new_follower(0), connection)
    let_time_pass(connection)
    connection.execute("UPDATE shard_replica SET heartbeat = now(), applied_seq = 0, epoch = gen_random_uuid()")
    trim_logs(HOURS)
    assert log_lengths() == []


def test_a_log_stays_without_gaps_when_times_do_not_follow_the_numbers(connection: log_reader.Connection) -> None:
    write(*(f"text {number}" for number in range(20)))
    let_time_pass(connection)
    connection.execute("UPDATE shard_change SET created_at = now() WHERE seq = 4")
    trim_logs(HOURS)
    assert rows("SELECT shard, min(seq), count(*) = max(seq) - 3 FROM shard_change GROUP BY shard ORDER BY shard") == [
        (0, 4, True),
        (1, 4, True),
    ]


def test_the_log_of_a_retired_version_goes_whoever_has_not_applied_it(
    new_follower: Callable[[int], Follower], connection: log_reader.Connection
) -> None:
    write(*(f"text {number}" for number in range(20)))
    delete(NAMESPACE, "text 1")
    follow(new_follower(0), connection)
    let_time_pass(connection)
    connection.execute("UPDATE shard_replica SET heartbeat = now(), applied_seq = 0")
    with retired(connection, version_key()):
        trim_logs(HOURS)
    assert (log_lengths(), tombstones()) == ([], [])


def test_a_tombstone_stays_while_any_log_names_it(connection: log_reader.Connection, second_layout: Layout) -> None:
    write(*(f"text {number}" for number in range(20)))
    let_time_pass(connection, 1)
    delete(NAMESPACE, "text 1")
    let_time_pass(connection)
    slow = [log for log in log_floors(HOURS) if log.layout == second_layout.pk]
    for log in log_floors(HOURS):
        if log not in slow:
            trim_chunk(log, HOURS, 1_000)
    assert tombstones() == ["text 1"]
    for log in slow:
        trim_chunk(log, HOURS, 1_000)
    assert (log_lengths(), tombstones()) == ([], [])


def test_a_document_that_lives_again_is_no_tombstone(connection: log_reader.Connection) -> None:
    write("a")
    delete(NAMESPACE, "a")
    put(("a", "written anew"))
    let_time_pass(connection)
    trim_logs(HOURS)
    assert rows("SELECT doc_id, revision FROM document") == [("a", 3)]


def test_a_document_can_be_created_again_when_its_tombstone_is_gone(
    new_follower: Callable[[int], Follower], connection: log_reader.Connection
) -> None:
    follower = new_follower(0)
    names = [f"text {number}" for number in range(8)]
    write(*names)
    follow(follower, connection)
    keys = {key for (key,) in rows("SELECT id FROM document")}
    for name in names:
        delete(NAMESPACE, name)
    follow(follower, connection)
    let_time_pass(connection)
    follow(follower, connection)
    trim_logs(HOURS)
    assert rows("SELECT 1 FROM document") == []
    assert {result.revision for result in put(*((name, name) for name in names))} == {1}
    index()
    follow(follower, connection)
    assert served(follower).tally()[0] > 0
    assert keys.isdisjoint(key for (key,) in rows("SELECT id FROM document"))


def test_the_indexer_trims_when_beat_says_so(connection: log_reader.Connection) -> None:
    write("text")
    let_time_pass(connection)
    job_app.tasks[job_task("trim")]()
    assert log_lengths() == []


def test_a_long_log_goes_in_chunks(connection: log_reader.Connection) -> None:
    write(*(f"text {number}" for number in range(20)))
    delete(NAMESPACE, "text 1")
    let_time_pass(connection)
    trim_logs(HOURS, chunk_entries=3)
    assert (log_lengths(), tombstones()) == ([], [])


def test_documents_of_a_shard_that_nobody_serves_count_as_not_searchable(connection: log_reader.Connection) -> None:
    write(*(f"text {number}" for number in range(20)))
    let_time_pass(connection)
    trim_logs(HOURS)
    assert log_lengths() == []
    assert namespace_status(NAMESPACE).searchable == 0


def test_a_log_that_cannot_be_trimmed_keeps_no_other_waiting(connection: log_reader.Connection) -> None:
    """The first one, when somebody holds a tombstone in it."""
    ids = [f"d{number}" for number in range(20)]
    put(*((doc_id, "text") for doc_id in ids))
    for doc_id in ids:
        delete(NAMESPACE, doc_id)
    let_time_pass(connection)
    shards = read_topology().shards
    assert shards > 1
    of_first = rows("SELECT doc_id FROM document WHERE shard_hash %% %s = 0 ORDER BY doc_id", shards)
    with held_documents(namespaces.namespace(NAMESPACE).pk, of_first[0][0]), pytest.raises(Unavailable):
        trim_logs(HOURS)
    assert tombstones() == [doc_id for (doc_id,) in of_first]
    trim_logs(HOURS)
    assert tombstones() == []


def test_writers_and_trimming_do_not_stop_each_other(database: str) -> None:
    """Tombstones are locked in the order in which writers lock documents."""
    names = [f"text {number}" for number in range(30)]

    def write_and_delete(order: int) -> None:
        try:
            for _ in range(4):
                put(*((name, name) for name in names[::order]))
                for name in names[::-order]:
                    delete(NAMESPACE, name)
        finally:
            django_connection.close()

    with ThreadPoolExecutor(2) as pool:
        writing = [pool.submit(write_and_delete, order) for order in (1, -1)]
        while not all(done.done() for done in writing):
            trim_logs(retention_hours=0)
        for done in writing:
            done.result()
    trim_logs(retention_hours=0)
    assert rows("SELECT 1 FROM document") == rows("SELECT 1 FROM shard_change") == []
