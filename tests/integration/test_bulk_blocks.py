"""The block of keys of an unfinished bulk job: what nodes, clients and jobs of the service see of its documents."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection, transaction

from embedding_project.contracts.errors import ServiceError
from embeddings_app.models import BulkBlock, BulkJob, BulkState, ModelRegistry, ModelStatus
from embeddings_app.records import bulk_blocks, bulk_loading, changes, shard_digests
from embeddings_app.records.search_samples import spread_documents
from embeddings_app.records.topology import read_topology, writable_layouts
from embeddings_app.services.documents.deleting import delete
from embeddings_app.services.documents.namespace_status import namespace_status
from embeddings_app.services.documents.reading import read_document
from embeddings_app.services.indexing.trimming import trim_logs
from embeddings_app.services.model_versions.steps import take_step
from embeddings_app.services.reembedding.estimating import estimate
from tests.integration.bulk_steps import loaded, made_job, open_block, seen_by_nodes, told_by_the_log, touched
from tests.integration.indexing_steps import NAMESPACE, in_thread, index, put, rows

pytestmark = pytest.mark.usefixtures("database")


@pytest.fixture
def job(database: str) -> BulkJob:
    return made_job()


def _log_entries() -> int:
    (count,) = rows("SELECT count(*) FROM shard_change")[0]
    return int(count)


def test_a_block_begins_where_the_one_before_ends(job: BulkJob) -> None:
    first = bulk_blocks.reserve(job.pk, job.model_version_id, 10)
    assert first.first_key >= 2**40
    assert (first.last_key, first.opened_to) == (first.first_key + 9, first.first_key - 1)
    assert bulk_blocks.reserve(job.pk, job.model_version_id, 99) == first
    other = made_job("other")
    assert bulk_blocks.reserve(other.pk, other.model_version_id, 5).first_key == first.last_key + 1


def test_nodes_see_nothing_of_a_closed_block_and_all_of_an_open_one(job: BulkJob) -> None:
    keys = loaded(job, ["a", "b"])
    put(("online", "text"))
    index()
    ((online,),) = rows("SELECT id FROM document WHERE doc_id = 'online'")
    assert seen_by_nodes(job.model_version_id) == {(online, 1)}
    open_block(job)
    assert seen_by_nodes(job.model_version_id) == {(online, 1), *((key, 1) for key in keys.values())}


def test_a_block_can_be_opened_in_parts(job: BulkJob) -> None:
    keys = loaded(job, ["a", "b", "c"])
    BulkBlock.objects.filter(pk=job.pk).update(opened_to=keys["b"])
    assert seen_by_nodes(job.model_version_id) == {(keys["a"], 1), (keys["b"], 1)}


def test_clients_are_told_that_its_documents_are_pending(job: BulkJob) -> None:
    loaded(job, ["a", "b"])
    assert read_document(NAMESPACE, "a", include_vector=True).state == "pending"
    status = namespace_status(NAMESPACE)
    assert (status.count, status.pending, status.searchable) == (2, 2, 0)
    open_block(job)
    assert read_document(NAMESPACE, "a", include_vector=False).state == "indexed"
    assert namespace_status(NAMESPACE).pending == 0


def test_an_identical_upsert_changes_nothing_and_is_pending(job: BulkJob) -> None:
    loaded(job, ["a"])
    (result,) = put(("a", "a"))
    assert (result.revision, result.state) == (1, "pending")
    assert (_log_entries(), touched(job)) == (0, [])


def test_a_change_of_metadata_alone_is_seen_at_once_with_the_vector(job: BulkJob) -> None:
    keys = loaded(job, ["a", "b"])
    (result,) = put(("a", "a"), metadata={"n": 1})
    assert (result.revision, result.state) == (2, "indexed")
    assert told_by_the_log(keys["a"]) == (2, False, True)
    assert seen_by_nodes(job.model_version_id) == {(keys["a"], 2)}
    assert touched(job) == [keys["a"]]


def test_a_new_text_is_seen_with_its_own_vector(job: BulkJob) -> None:
    keys = loaded(job, ["a"])
    (result,) = put(("a", "another text"))
    assert (result.revision, result.state) == (2, "pending")
    index()
    assert told_by_the_log(keys["a"]) == (2, False, True)
    assert read_document(NAMESPACE, "a", include_vector=False).state == "indexed"
    assert touched(job) == [keys["a"]]


def test_a_deleted_document_stays_away_when_the_block_opens(job: BulkJob) -> None:
    keys = loaded(job, ["a", "b"])
    assert delete(NAMESPACE, "a").revision == 2
    assert told_by_the_log(keys["a"]) == (2, True, False)
    assert touched(job) == [keys["a"]]
    open_block(job)
    assert seen_by_nodes(job.model_version_id) == {(keys["b"], 1)}


def test_what_lies_outside_of_a_closed_block_is_not_noted(job: BulkJob) -> None:
    loaded(job, ["a"])
    put(("online", "text"))
    put(("online", "another text"))
    open_block(job)
    put(("a", "another text"))
    delete(NAMESPACE, "a")
    assert touched(job) == []


def test_an_entry_of_an_unchanged_document_tells_nothing_of_its_vector(job: BulkJob) -> None:
    keys = loaded(job, ["a"])
    (layout, shards) = rows("SELECT id, shards FROM layout WHERE status = 'active'")[0]
    (hashed,) = rows("SELECT shard_hash FROM document")[0]
    rows(
        """
        INSERT INTO shard_change (layout_id, model_version_id, shard, seq, kind, document_id, revision)
        VALUES (%s, %s, %s, 1, 'document', %s, 1) RETURNING 1
        """,
        *(layout, job.model_version_id, hashed % shards, keys["a"]),
    )
    assert told_by_the_log(keys["a"]) == (1, False, False)
    open_block(job)
    assert told_by_the_log(keys["a"]) == (1, False, True)


def test_another_version_sees_its_own_vector_of_the_document(job: BulkJob) -> None:
    """A backfill of a later version logs the same documents."""
    keys = loaded(job, ["a"])
    BulkBlock.objects.filter(pk=job.pk).update(model_version=_other_version())
    assert seen_by_nodes(job.model_version_id) == {(keys["a"], 1)}


def _other_version() -> ModelRegistry:
    version, _ = ModelRegistry.objects.get_or_create(
        model_id="other", defaults={"type": "external", "dimension": 8, "status": ModelStatus.RETIRED}
    )
    return version


def test_the_digest_audit_expects_nothing_of_it(job: BulkJob) -> None:
    topology = read_topology()
    loaded(job, ["a", "b", "c"])
    for shard in range(topology.shards):
        rows(
            """
            INSERT INTO shard_replica (layout_id, model_version_id, shard, replica, epoch, applied_seq, state, digest,
                                       documents, graph_documents, heartbeat)
            VALUES (%s, %s, %s, 0, %s, 0, 'ready', 0, 0, 0, now()) RETURNING 1
            """,
            *(topology.layout, job.model_version_id, shard, topology.epoch),
        )
    found = shard_digests.compare(topology.layout, topology.shards, job.model_version_id, lambda: True)
    assert found
    assert (len(found.same), found.differ) == (topology.shards, ())


def test_its_tombstones_are_kept_until_the_log_names_them_behind_it(job: BulkJob) -> None:
    loaded(job, ["a"])
    delete(NAMESPACE, "a")
    put(("later", "text"))
    index()
    for table, column in (("shard_change", "created_at"), ("document", "updated_at")):
        rows(f"UPDATE {table} SET {column} = {column} - interval '3 days' RETURNING 1")
    trim_logs(24)
    assert _log_entries() == 0
    assert rows("SELECT doc_id FROM document WHERE deleted") == [("a",)]
    put(("a", "a"))
    delete(NAMESPACE, "a")
    open_block(job)
    for left in (["a"], []):
        put(("later", f"text {left}"))
        index()
        for table, column in (("shard_change", "created_at"), ("document", "updated_at")):
            rows(f"UPDATE {table} SET {column} = {column} - interval '3 days' RETURNING 1")
        trim_logs(24)
        assert [doc_id for (doc_id,) in rows("SELECT doc_id FROM document WHERE deleted")] == left
        changes.append_changes(writable_layouts(), [job.model_version_id], bulk_loading.take_touched(job.pk, 10))


def test_opening_waits_for_a_writer_that_found_it_closed(job: BulkJob) -> None:
    keys = loaded(job, ["a"])

    def opened() -> list[int]:
        with transaction.atomic():
            open_block(job)
            return touched(job)

    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            delete(NAMESPACE, "a")
            waiting = pool.submit(in_thread, opened)
            with pytest.raises(TimeoutError):
                waiting.result(0.3)
        assert waiting.result(60) == [keys["a"]]


@pytest.fixture
def draft(database: str) -> Iterator[ModelRegistry]:
    version = ModelRegistry.objects.get(model_id="all-MiniLM-L6-v2", status=ModelStatus.ACTIVE)
    yield version
    version.refresh_from_db()
    assert version.status == ModelStatus.ACTIVE


def test_versions_of_its_model_take_no_steps_while_it_is_open(job: BulkJob, draft: ModelRegistry) -> None:
    with pytest.raises(ServiceError, match=f"'manage.py bulk_ingest abort {job.pk}' or POST") as caught:
        take_step(draft, ModelStatus.STANDBY, "tests")
    assert caught.value.code == "illegal_step"
    BulkJob.objects.filter(pk=job.pk).update(state=BulkState.DONE)
    with transaction.atomic():
        take_step(draft, ModelStatus.STANDBY, "tests")
        transaction.set_rollback(True)
    connection.close()


def test_samples_are_of_documents_below_and_in_blocks_and_not_of_the_gap_between(job: BulkJob) -> None:
    put(*((f"online {number}", f"text {number}") for number in range(50)))
    index()
    keys = loaded(job, [f"loaded {number:02d}" for number in range(50)])
    found = bulk_blocks.keys_at([place / 100 for place in range(101)], first=_first_key(), last=2**62)
    assert len({key for key in found if key < 2**40}) == pytest.approx(50, abs=1)
    assert found[-1] == max(keys.values())
    assert {key for key in found if key >= 2**40} == set(keys.values())
    assert bulk_blocks.keys_at([0.5], first=min(keys.values()), last=min(keys.values())) == [min(keys.values())]
    sampled = spread_documents(job.model_version_id, 20)
    assert len(sampled) == 20
    assert 8 <= sum(text.text.startswith("loaded") for text in sampled) <= 12


def test_an_estimate_samples_the_texts_of_a_model_also_where_another_one_has_blocks(job: BulkJob) -> None:
    put(*((f"online {number}", "a text of some words") for number in range(50)))
    bulk_blocks.reserve(made_job("other").pk, job.model_version_id, 10)
    assert estimate(job.model_version).tokens > 0


def _first_key() -> int:
    ((key,),) = rows("SELECT min(id) FROM document")
    return int(key)
