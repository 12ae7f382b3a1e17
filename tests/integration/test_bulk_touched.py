"""More documents of a job are changed before it registers than one transaction names: they follow some at a time, and
what is deleted stays deleted."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from embeddings_app.models import AuditEvent, BulkJob, BulkState
from embeddings_app.records import census_basis
from embeddings_app.records.topology import read_topology
from embeddings_app.services.bulk import registering
from embeddings_app.services.documents.deleting import delete
from embeddings_app.services.indexing.trimming import trim_logs
from embeddings_app.services.search.hydration import Merged, Shown, verified_hits
from index_nodes import log_reader
from index_nodes.log_follower import Follower, Pace
from index_nodes.scan import SearchSpec
from tests.integration.bulk_bundles import build_bundles
from tests.integration.bulk_steps import loaded, made_job, touched
from tests.integration.indexing_steps import NAMESPACE, index, put, rows
from tests.integration.test_index_node import SHARD, until, version_key
from tests.integration.test_log_trimming import HOURS, follow, let_time_pass, tombstones

IDS = [f"doc/{number:03d}" for number in range(60)]
CHANGED, DELETED = IDS[:12], IDS[12:24]
AT_ONCE = 5
BUSY = Pace(heartbeat_seconds=0.02, news_heartbeat_seconds=0.0)


@pytest.fixture
def connection(database: str) -> Iterator[log_reader.Connection]:
    with log_reader.connect(database, "test-node") as opened:
        yield opened


@pytest.fixture
def start(database: str, tmp_path: Path) -> Iterator[Callable[[int], Follower]]:
    made: list[Follower] = []

    def begin(replica: int) -> Follower:
        directory = tmp_path / f"node-{replica}"
        directory.mkdir()
        made.append(Follower(database, SHARD, replica, directory, BUSY))
        return made[-1]

    yield begin
    for follower in made:
        follower._drop(lambda _: True)


@pytest.fixture
def job(database: str, tmp_path: Path) -> BulkJob:
    made = made_job()
    loaded(made, IDS)
    build_bundles(made, tmp_path / "bundles")
    return made


def change_some() -> None:
    put(*((doc_id, f"another text of {doc_id}") for doc_id in CHANGED))
    index()
    for doc_id in DELETED:
        delete(NAMESPACE, doc_id)


def change_before(start: Callable[[int], Follower], connection: log_reader.Connection) -> Follower:
    """A replica that knows no tombstones: it came after the deletes, and the log begins behind them."""
    change_some()
    follower = start(0)
    follow(follower, connection)
    rows("DELETE FROM shard_change RETURNING 1")
    return follower


def longest_transaction() -> int:
    """How many documents one transaction has named."""
    found = rows(
        "SELECT count(*) FROM shard_change WHERE kind = 'document' GROUP BY xmin::text ORDER BY 1 DESC LIMIT 1"
    )
    return int(found[0][0])


def known(follower: Follower) -> int:
    return sum(index.tally()[0] for index in follower.indexes())


def is_counted_by_nodes(job: BulkJob) -> bool:
    return census_basis.read_basis(job.space.pk, version_key(), read_topology().layout) is not None


def test_what_clients_changed_is_named_some_at_a_time(
    job: BulkJob, start: Callable[[int], Follower], connection: log_reader.Connection
) -> None:
    follower = change_before(start, connection)
    registering.register(job.pk, AT_ONCE)
    job.refresh_from_db()
    assert (job.state, len(touched(job))) == (BulkState.REGISTERING, 24 - AT_ONCE)
    until(follower, connection, lambda: known(follower) > len(CHANGED))
    put((IDS[50], "written between"), (DELETED[-1], "written anew"))
    index()
    left = []
    while not registering.open_part(job.pk, AT_ONCE).ended:
        left.append(len(touched(job)))
        assert not is_counted_by_nodes(job)
    assert left == [14, 9, 4]
    assert longest_transaction() <= AT_ONCE
    follow(follower, connection)
    assert is_counted_by_nodes(job)
    job.refresh_from_db()
    assert (job.state, AuditEvent.objects.latest("id").action) == (BulkState.DONE, "bulk.done")
    assert tombstones() == DELETED[:-1]


def test_what_a_replica_finds_although_it_is_deleted_is_not_shown(
    job: BulkJob, start: Callable[[int], Follower], connection: log_reader.Connection
) -> None:
    follower = change_before(start, connection)
    registering.register(job.pk, 0)
    until(follower, connection, lambda: known(follower) > len(CHANGED))
    (found_in,) = follower.indexes()
    query = np.ones(found_in.dimension, np.float32) / np.float32(found_in.dimension**0.5)
    asked = SearchSpec(top_k=len(IDS), ef_search=100, exact=True, filter="")
    hits = found_in.search(job.space.pk, query[np.newaxis], asked)[0]
    names = dict(rows("SELECT id, doc_id FROM document"))
    found = {names[key] for key in hits.document_keys.tolist()}
    assert found & set(DELETED), "the replica has tombstones"
    shown = Shown(namespace_key=job.space.pk, version_key=version_key(), filter=None, include=frozenset())
    (verified,) = verified_hits([Merged([hits], len(IDS), shown, query)])
    assert {hit.doc_id for hit in verified} == found - set(DELETED)


def test_a_tombstone_stays_until_it_is_named(
    job: BulkJob, start: Callable[[int], Follower], connection: log_reader.Connection
) -> None:
    change_some()
    registering.register(job.pk, 0)
    let_time_pass(connection)
    trim_logs(HOURS)
    assert tombstones() == DELETED
    follower = start(0)
    while not registering.open_part(job.pk, AT_ONCE).ended:
        pass
    follow(follower, connection)
    let_time_pass(connection)
    trim_logs(HOURS)
    assert tombstones() == []


def test_parts_name_what_clients_changed_behind_them(
    job: BulkJob, start: Callable[[int], Follower], connection: log_reader.Connection
) -> None:
    follower = change_before(start, connection)
    BulkJob.objects.filter(pk=job.pk).update(state=BulkState.REGISTERING)
    while not registering.open_part(job.pk, AT_ONCE).ended:
        pass
    assert longest_transaction() <= AT_ONCE
    follow(follower, connection)


def test_the_longest_transaction_is_noted(job: BulkJob) -> None:
    change_some()
    registering.register(job.pk, AT_ONCE)
    job.refresh_from_db()
    first = job.registering_seconds
    assert first is not None
    assert first > 0
    registering.open_part(job.pk, AT_ONCE)
    job.refresh_from_db()
    assert job.registering_seconds is not None
    assert job.registering_seconds >= first
