"""What a bulk job builds holds what the tables hold, and an index takes it over."""

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bulk_ingest import finishing
from bulk_ingest.bundling import BundleTask, build_bundle
from bulk_ingest.finishing import Finishing
from embedding_project.contracts.errors import ServiceError
from embedding_project.contracts.filters import Condition, to_wire
from embeddings_app.models import BulkBlock, BulkBundle, BulkJob, BulkState, ModelRegistry
from embeddings_app.records import bulk_blocks, bulk_bundles
from embeddings_app.records.topology import read_topology
from embeddings_app.services.bulk import bundles, registering
from embeddings_app.services.documents.deleting import delete
from index_nodes.bundle_files import Bundle, Place, read_bundle
from index_nodes.memory_budget import MemoryBudget
from index_nodes.tally import document_hash
from index_nodes.version_index import VersionIndex
from tests.integration.bulk_loads import (
    DIMENSION,
    SPACE,
    external_model,
    source_row,
    spread_job,
    upsert_rows,
    vector_of,
    write_lines,
)
from tests.integration.bulk_steps import seen_by_nodes, touched
from tests.integration.indexing_steps import rows
from tests.integration.shard_digests import ShardDigest, shard_digest
from tests.unit.index_nodes.builders import spec

IDS = [f"doc/{number:04d}" for number in range(400)]
ONE = Finishing(builders=1, prepare_seconds=0.0)


@pytest.fixture
def version(database: str) -> Iterator[ModelRegistry]:
    with external_model() as made:
        yield made


def fields(number: int) -> dict[str, object]:
    return {"number": number, "large": 1e25, "tags": ["a", number % 3], "nested": {"even": number % 2 == 0}}


@pytest.fixture
def job(version: ModelRegistry, tmp_path: Path) -> BulkJob:
    source = [source_row(doc_id, metadata=fields(number)) for number, doc_id in enumerate(IDS)]
    loaded = spread_job(write_lines(tmp_path / "rows.jsonl", source), tmp_path, bucket_rows=100)
    loaded.load()
    BulkJob.objects.filter(pk=loaded.job.pk).update(state=BulkState.BUILDING)
    return BulkJob.objects.select_related("namespace", "model_version").get(pk=loaded.job.pk)


def tasks(job: BulkJob, tmp_path: Path, bundle_keys: int = 1_000) -> list[BundleTask]:
    return finishing._tasks(job, tmp_path / "bundles", replace(ONE, bundle_keys=bundle_keys))


def taken_over(job: BulkJob, shard: int, directory: Path) -> VersionIndex:
    """An index with all bundles of a shard."""
    topology, index = read_topology(), VersionIndex(DIMENSION, directory)
    place = Place(
        epoch=topology.epoch,
        layout=topology.layout,
        version_key=job.model_version_id,
        shard=shard,
        dimension=DIMENSION,
        storage="fp32",
        directory=directory,
    )
    for row in BulkBundle.objects.filter(job=job, shard=shard).order_by("part"):
        bundle = Bundle(
            job=job.pk,
            namespace_key=job.space.pk,
            folder=Path(row.path),
            sha256=row.sha256,
            first_key=row.first_key,
            last_key=row.last_key,
        )
        adoption = index.begin_adoption(job.space.pk, read_bundle(bundle, place, MemoryBudget(), lambda: False))
        for _ in index.adopt_fields(job.space.pk, adoption):
            pass
        index.adopt(job.space.pk, adoption, 0.0)
    return index


@pytest.mark.parametrize("bundle_keys", [1_000, 100])
def test_bundles_hold_the_documents_of_their_shard(job: BulkJob, tmp_path: Path, bundle_keys: int) -> None:
    for task in tasks(job, tmp_path, bundle_keys):
        assert build_bundle(task)
    assert BulkBundle.objects.filter(job=job).count() == (2 if bundle_keys == 1_000 else 4)
    assert tasks(job, tmp_path, bundle_keys) == []
    block = BulkBlock.objects.get(pk=job.pk)
    BulkBlock.objects.filter(pk=job.pk).update(opened_to=block.last_key)
    for shard in range(2):
        index = taken_over(job, shard, tmp_path / f"index-{shard}")
        documents, in_graphs, digest = index.tally()
        assert shard_digest(read_topology().layout, job.model_version_id, shard) == ShardDigest(digest, documents)
        assert in_graphs == documents
        of_shard = "SELECT id, doc_id FROM document WHERE shard_hash %% 2 = %s ORDER BY id"
        key, doc_id = rows(of_shard, shard)[3]
        number = IDS.index(doc_id)
        for path, value in (
            ("number", number),
            ("large", 1e25),
            ("tags", number % 3),
            ("nested.even", number % 2 == 0),
        ):
            wire = to_wire(Condition(path, "contains" if path == "tags" else "eq", value))
            query = np.array([vector_of(doc_id)], np.float32)
            hits = index.search(job.space.pk, query, spec(1, filter=wire))[0]
            assert hits.document_keys.tolist() == [key], path


def test_what_clients_changed_before_is_left_out_and_what_they_change_meanwhile_is_no_fault(
    job: BulkJob, tmp_path: Path
) -> None:
    upsert_rows([source_row(IDS[0], "another text"), source_row(IDS[1], metadata={"n": 1})])
    delete(SPACE, IDS[2])
    for task in tasks(job, tmp_path):
        assert build_bundle(task)
    assert sum(BulkBundle.objects.values_list("rows", flat=True)) == len(IDS) - 3


def test_a_bundle_is_compared_with_what_the_tables_hold(job: BulkJob, tmp_path: Path) -> None:
    part = tasks(job, tmp_path)[0].rows
    known = bulk_bundles.unchanged_rows(part)
    keys, hashes = [row.key for row in known], [document_hash(row.key, 1, 1) for row in known]
    assert bulk_bundles.fits_tables(part, keys, hashes)
    assert not bulk_bundles.fits_tables(part, keys[1:], hashes[1:])
    assert not bulk_bundles.fits_tables(part, keys, [*hashes[1:], 1])
    doc_id = rows("SELECT doc_id FROM document WHERE id = %s", keys[0])[0][0]
    delete(SPACE, doc_id)
    assert bulk_bundles.fits_tables(part, keys, hashes)
    rows("UPDATE document SET revision = 2 WHERE id = %s RETURNING 1", keys[1])
    assert not bulk_bundles.fits_tables(part, keys, hashes)


def test_a_job_that_was_aborted_gets_no_bundle(job: BulkJob, tmp_path: Path) -> None:
    (task, _) = tasks(job, tmp_path)
    BulkJob.objects.filter(pk=job.pk).update(state=BulkState.ABORTING)
    assert build_bundle(task)
    assert not BulkBundle.objects.exists()
    assert not list((tmp_path / "bundles").iterdir())


def replica(shard: int, prepared: str | None, *, silent: float = 0.0, state: str = "ready") -> None:
    """What a replica says, in place of what it said before."""
    rows(
        """
        INSERT INTO shard_replica (layout_id, model_version_id, shard, replica, epoch, state, documents,
                                   graph_documents, heartbeat, applied_seq, digest, prepared)
        SELECT l.id, %s, %s, 7, e.epoch, %s, 0, 0, now() - make_interval(secs => %s), 0, 0, %s::jsonb
        FROM layout l, log_epoch e WHERE l.status = 'active'
        ON CONFLICT (layout_id, model_version_id, shard, replica) DO UPDATE SET
            prepared = excluded.prepared, heartbeat = excluded.heartbeat, state = excluded.state
        RETURNING id
        """,
        *(BulkJob.objects.get().model_version_id, shard, state, silent, prepared),
    )


def test_the_end_waits_for_replicas_that_live(job: BulkJob, tmp_path: Path) -> None:
    finishing.build(job, tmp_path, ONE, lambda: True)
    assert job.state == BulkState.PREPARING
    ready = f'{{"{job.pk}": "ready"}}'
    for prepared in ("{}", f'{{"{job.pk}": "preparing"}}'):
        replica(0, prepared)
        assert bundles.readiness(job) is bundles.Readiness.WAIT
    with pytest.raises(ServiceError, match="did not prepare"):
        finishing.prepare(job, ONE, lambda: True)
    replica(1, ready)
    assert bundles.ready_share(job) == 0.5
    replica(0, f'{{"{job.pk}": "no_room"}}')
    with pytest.raises(ServiceError, match="shard 0 replica 7 has no memory"):
        bundles.readiness(job)
    for useless in (f'{{"{job.pk}": "refused"}}', None):
        replica(0, useless)
        assert bundles.readiness(job) is bundles.Readiness.USELESS
    replica(0, "{}", silent=61)
    assert bundles.readiness(job) is bundles.Readiness.READY
    finishing.prepare(job, ONE, lambda: True)
    finishing.open_parts(job, tmp_path, lambda: True)
    job.refresh_from_db()
    assert job.state == BulkState.DONE


def test_without_waiting_the_block_opens_at_once(job: BulkJob, tmp_path: Path) -> None:
    finishing.build(job, tmp_path, ONE, lambda: True)
    replica(0, "{}")
    finishing.prepare(job, replace(ONE, await_replicas=False), lambda: True)
    job.refresh_from_db()
    assert (job.state, registering.hides_documents(job.pk)) == (BulkState.REGISTERING, False)


def test_what_clients_changed_is_named_behind_the_block_part_by_part(job: BulkJob, tmp_path: Path) -> None:
    finishing.build(job, tmp_path, ONE, lambda: True)
    upsert_rows([source_row(doc_id, "another text") for doc_id in IDS[:10]])
    for doc_id in IDS[10:15]:
        delete(SPACE, doc_id)
    ((before,),) = rows("SELECT count(*) FROM shard_change")
    registering.register(job.pk, 3)
    kinds = "SELECT kind, count(*) FROM shard_change GROUP BY 1 ORDER BY 1"
    assert rows(kinds) == [("document", before + 3), ("segment", 2)]
    upsert_rows([source_row(IDS[20], "a text of later")])
    assert len(touched(job)) == 12
    steps = iter((True, True, False))
    finishing.open_parts(job, tmp_path, lambda: next(steps), 4)
    assert (len(touched(job)), BulkJob.objects.get().state) == (4, BulkState.REGISTERING)
    finishing.open_parts(job, tmp_path, lambda: True, 4)
    assert (touched(job), BulkJob.objects.get().state) == ([], BulkState.DONE)
    behind = """
        SELECT d.doc_id, count(*) FROM shard_change c JOIN document d ON d.id = c.document_id
        JOIN bulk_bundle b USING (layout_id, shard) WHERE c.seq > b.seq GROUP BY 1 ORDER BY 1
    """
    assert rows(behind) == [(doc_id, 1) for doc_id in (*IDS[:15], IDS[20])]
    assert len(seen_by_nodes(job.model_version_id)) == len(IDS) - 5


def test_a_tombstone_stays_until_it_is_named_behind_the_block(job: BulkJob, tmp_path: Path) -> None:
    finishing.build(job, tmp_path, ONE, lambda: True)
    delete(SPACE, IDS[0])
    registering.register(job.pk, 0)
    waiting = f"SELECT doc_id FROM document d WHERE {bulk_blocks.unregistered('d')}"
    assert rows(waiting) == [(IDS[0],)]
    finishing.open_parts(job, tmp_path, lambda: True)
    assert rows(waiting) == []


def test_replicas_that_cannot_use_bundles_get_the_documents_one_by_one(job: BulkJob, tmp_path: Path) -> None:
    finishing.build(job, tmp_path, ONE, lambda: True)
    replica(0, None)
    finishing.prepare(job, ONE, lambda: True)
    assert (job.state, BulkBundle.objects.count()) == (BulkState.REGISTERING, 0)
    while not registering.open_part(job.pk, 1_000).ended:
        pass
    assert rows("SELECT kind, count(*) FROM shard_change GROUP BY 1") == [("document", len(IDS))]


def test_bundles_stay_until_every_snapshot_is_beyond_their_entry(job: BulkJob, tmp_path: Path) -> None:
    finishing.build(job, tmp_path, ONE, lambda: True)
    registering.register(job.pk)
    for shard in range(2):
        replica(shard, "{}")
    assert bundles.remove_needless(24) == 0
    rows("UPDATE shard_replica SET applied_seq = 5, snapshot_seq = 0 WHERE shard = 0 RETURNING 1")
    assert bundles.remove_needless(24) == 1
    rows("UPDATE shard_replica SET applied_seq = 5, snapshot_seq = 0 RETURNING 1")
    assert bundles.remove_needless(24) == 1
    assert not BulkBundle.objects.exists()
    shutil.rmtree(tmp_path / "bundles")
