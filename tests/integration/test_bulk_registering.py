"""The end of a bulk job, seen by index nodes that follow the log and by those that load."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from embedding_project.contracts.errors import InvalidRequest, ServiceError
from embeddings_app.models import AuditEvent, BulkFile, BulkJob, BulkState, BulkWish
from embeddings_app.services.bulk import registering
from embeddings_app.services.bulk.aborting import begin_abort
from embeddings_app.services.bulk.jobs import NewJob, can, made_before, want
from embeddings_app.services.documents.deleting import delete
from index_nodes import log_reader
from index_nodes.log_follower import Follower
from tests.integration.bulk_steps import loaded, made_job, seen_by_nodes, touched
from tests.integration.indexing_steps import NAMESPACE, index, put, rows
from tests.integration.test_index_node import SHARD, served, version_key
from tests.integration.test_log_trimming import follow

IDS = [f"doc/{number:03d}" for number in range(60)]


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
def job(database: str) -> BulkJob:
    made = made_job()
    loaded(made, IDS)
    BulkJob.objects.filter(pk=made.pk).update(state=BulkState.REGISTERING)
    return made


def _known(follower: Follower) -> int:
    return served(follower).tally()[0]


def _of_shard(condition: str = "true") -> int:
    query = f"SELECT count(*) FROM document WHERE NOT deleted AND shard_hash %% 2 = %s AND {condition}"
    return int(rows(query, SHARD)[0][0])


def test_nodes_follow_part_by_part_and_end_up_with_what_clients_left(
    job: BulkJob, new_follower: Callable[[int], Follower], connection: log_reader.Connection
) -> None:
    follower = new_follower(0)
    put(("online", "text"))
    index()
    follow(follower, connection)
    assert _known(follower) == _of_shard("doc_id = 'online'")
    put((IDS[0], IDS[0]), (IDS[50], IDS[50]), metadata={"n": 1})
    put((IDS[1], "another text"), (IDS[51], "another text"))
    index()
    for doc_id in (IDS[2], IDS[52]):
        delete(NAMESPACE, doc_id)
    parts = []
    while not (part := registering.open_part(job.pk, 7)).ended:
        parts.append(part.documents)
        follow(follower, connection)
        loading = new_follower(len(parts))
        follow(loading, connection)
        assert _known(loading) == _known(follower)
    follow(follower, connection)
    assert _known(follower) == _of_shard()
    assert sum(parts) + part.documents == len(IDS) - 6
    assert max(parts) <= 7


def test_the_end_names_what_clients_changed_once_more(job: BulkJob) -> None:
    put((IDS[0], "another text"))
    delete(NAMESPACE, IDS[1])
    assert len(touched(job)) == 2
    assert registering.open_part(job.pk, 1_000).ended
    assert touched(job) == []
    entries = rows(
        """
        SELECT d.doc_id, count(*) FROM shard_change s JOIN document d ON d.id = s.document_id
        GROUP BY 1 HAVING d.doc_id IN (%s, %s) OR count(*) > 1 ORDER BY 1
        """,
        *IDS[:2],
    )
    assert entries == [(IDS[0], 1), (IDS[1], 2)]
    job.refresh_from_db()
    assert (job.state, job.ended_at is not None) == ("done", True)
    assert AuditEvent.objects.latest("id").action == "bulk.done"
    assert len(seen_by_nodes(version_key())) == len(IDS) - 1


def test_only_a_job_that_registers_opens_its_block(job: BulkJob) -> None:
    BulkJob.objects.filter(pk=job.pk).update(state=BulkState.LOADING)
    with pytest.raises(ServiceError, match="does not register"):
        registering.open_part(job.pk, 10)
    assert seen_by_nodes(version_key()) == set()


def test_rows_without_an_outcome_are_noticed(job: BulkJob) -> None:
    BulkFile.objects.create(job=job, number=0, path="x", size=1, modified_ns=1, rows=61, rejected=1)
    with pytest.raises(ServiceError, match="do not add up"):
        registering.check_counts(job)


def test_there_is_no_abort_once_documents_are_visible(job: BulkJob) -> None:
    registering.open_part(job.pk, 5)
    job.refresh_from_db()
    with pytest.raises(ServiceError, match="cannot be asked to abort"):
        want(job, BulkWish.ABORT, "tests")
    BulkJob.objects.filter(pk=job.pk).update(state=BulkState.FAILED)
    job.refresh_from_db()
    with pytest.raises(ServiceError, match="are visible"):
        want(job, BulkWish.ABORT, "tests")
    assert BulkJob.objects.get(pk=job.pk).wanted == BulkWish.RUN
    with pytest.raises(ServiceError, match="are visible"):
        begin_abort(job)
    assert rows("SELECT count(*) FROM document") == [(len(IDS),)]


@pytest.mark.parametrize("state", [BulkState.PLANNED, BulkState.LOADING, BulkState.ABORTING, BulkState.FAILED])
@pytest.mark.parametrize("wish", [BulkWish.PAUSE, BulkWish.RUN])
def test_nothing_takes_back_an_abort(job: BulkJob, state: BulkState, wish: BulkWish) -> None:
    BulkJob.objects.filter(pk=job.pk).update(state=state)
    for _ in range(2):
        want(job, BulkWish.ABORT, "tests")
    assert not can(job, wish)
    with pytest.raises(ServiceError, match="cannot be asked to"):
        want(job, wish, "tests")
    job.refresh_from_db()
    assert (job.state, job.wanted) == (state, BulkWish.ABORT)


def test_an_abort_that_came_too_late_leaves_a_job_that_goes_on(job: BulkJob) -> None:
    BulkFile.objects.create(job=job, number=0, path="x", size=1, modified_ns=1, rows=60)
    registering.open_part(job.pk, 5)
    BulkJob.objects.filter(pk=job.pk).update(state=BulkState.FAILED, wanted=BulkWish.ABORT)
    job.refresh_from_db()
    want(job, BulkWish.RUN, "tests")
    job.refresh_from_db()
    assert (job.state, job.wanted) == (BulkState.REGISTERING, BulkWish.RUN)


def test_a_key_of_before_there_was_a_hash_belongs_to_its_namespace(job: BulkJob) -> None:
    BulkJob.objects.filter(pk=job.pk).update(idempotency_key="old", request_hash=None)
    asked = NewJob(namespace=NAMESPACE, model_id=None, files=(), splitters=(), options={}, idempotency_key="old")
    assert made_before(asked) == job
    with pytest.raises(InvalidRequest) as caught:
        made_before(replace(asked, namespace="elsewhere"))
    assert caught.value.code == "idempotency_key_reused"
