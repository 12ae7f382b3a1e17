"""Index nodes take the bundles of a bulk job over at its entry in the log; what they cannot use costs time only."""

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from embedding_project.contracts.errors import ServiceError
from embeddings_app.models import AuditEvent, BulkBundle, BulkJob, BulkState
from embeddings_app.services.bulk import registering
from embeddings_app.services.bulk.aborting import begin_abort, end_abort
from embeddings_app.services.documents.deleting import delete
from index_nodes import log_reader
from index_nodes.log_follower import Follower, Pace
from index_nodes.memory_budget import MemoryBudget
from index_nodes.metrics import BUNDLES, REBUILDS
from index_nodes.snapshot_writer import write_snapshot
from tests.integration.bulk_bundles import build_bundles
from tests.integration.bulk_steps import loaded, made_job
from tests.integration.indexing_steps import NAMESPACE, index, put, rows
from tests.integration.test_index_node import SHARD, ready, served, until, version_key
from tests.integration.test_log_trimming import follow

IDS = [f"doc/{number:04d}" for number in range(200)]
BUSY = Pace(heartbeat_seconds=0.02, news_heartbeat_seconds=0.0)
Start = Callable[..., Follower]


@pytest.fixture
def connection(database: str) -> Iterator[log_reader.Connection]:
    with log_reader.connect(database, "test-node") as opened:
        yield opened


@pytest.fixture
def start(database: str, tmp_path: Path) -> Iterator[Start]:
    """Starts replicas; one that comes back finds the disk that it left."""
    made: list[Follower] = []

    def begin(replica: int = 0, memory: MemoryBudget | None = None) -> Follower:
        directory = tmp_path / f"node-{replica}"
        directory.mkdir(exist_ok=True)
        made.append(Follower(database, SHARD, replica, directory, BUSY, memory))
        return made[-1]

    yield begin
    for follower in made:
        follower._drop(lambda _: True)


@pytest.fixture
def job(database: str, tmp_path: Path) -> BulkJob:
    made = made_job()
    loaded(made, IDS)
    return made


def bundles(job: BulkJob, tmp_path: Path, parts: int = 1) -> list[BulkBundle]:
    return build_bundles(job, tmp_path / "bundles", parts)


def prepared(replica: int = 0) -> dict[str, str]:
    found = rows(
        "SELECT prepared FROM shard_replica WHERE replica = %s AND model_version_id = %s", replica, version_key()
    )
    told: dict[str, str] = json.loads(found[0][0] or "{}")
    return told


def until_prepared(follower: Follower, connection: log_reader.Connection, job: BulkJob, word: str = "ready") -> None:
    until(follower, connection, lambda: ready(follower) and prepared(follower._replica).get(str(job.pk)) == word)


def known(follower: Follower) -> int:
    return served(follower).tally()[0]


def of_shard(condition: str = "true") -> int:
    query = f"SELECT count(*) FROM document WHERE NOT deleted AND shard_hash %% 2 = %s AND ({condition})"
    return int(rows(query, SHARD)[0][0])


def counted(outcome: str) -> float:
    value: float = BUNDLES.labels(outcome)._value.get()
    return value


def change_some() -> None:
    """New metadata, a new text, a delete: each of documents that the bundle has."""
    put(*((doc_id, doc_id) for doc_id in IDS[0:40:4]), metadata={"n": 1})
    put(*((doc_id, f"another text of {doc_id}") for doc_id in IDS[1:40:4]))
    index()
    for doc_id in IDS[2:40:4]:
        delete(NAMESPACE, doc_id)


@pytest.mark.parametrize("parts", [1, 3])
def test_documents_are_found_from_the_entry_on_and_in_graphs(
    job: BulkJob, tmp_path: Path, start: Start, connection: log_reader.Connection, parts: int
) -> None:
    follower, before = start(), (counted("adopted"), REBUILDS._value.get())
    put(("online", "text"))
    index()
    follow(follower, connection)
    bundles(job, tmp_path, parts)
    until_prepared(follower, connection, job)
    assert known(follower) == of_shard("doc_id = 'online'")
    change_some()
    follow(follower, connection)
    assert known(follower) == of_shard("revision > 1 OR doc_id = 'online'")
    change_some()
    seqs = registering.register(job.pk)
    assert seqs.keys() == {0, 1}
    follow(follower, connection)
    assert known(follower) == of_shard()
    documents, in_graphs, _ = served(follower).tally()
    assert documents - in_graphs <= 40
    assert (counted("adopted"), REBUILDS._value.get()) == (before[0] + parts, before[1])
    assert prepared() == {}
    delete(NAMESPACE, IDS[100])
    put((IDS[101], "another text"))
    index()
    follow(follower, connection)
    assert known(follower) == of_shard()


def test_the_entry_ends_the_job(job: BulkJob, tmp_path: Path) -> None:
    bundles(job, tmp_path)
    delete(NAMESPACE, IDS[0])
    seqs = registering.register(job.pk)
    assert registering.open_part(job.pk).ended
    job.refresh_from_db()
    assert (job.state, AuditEvent.objects.latest("id").action) == (BulkState.DONE, "bulk.done")
    assert dict(BulkBundle.objects.filter(job=job).values_list("shard", "seq")) == seqs
    entries = "SELECT kind, document_id IS NULL, segment->>'job' FROM shard_change WHERE seq > 1 OR kind = 'segment'"
    assert sorted(rows(entries)) == [
        ("document", False, None),
        ("segment", True, str(job.pk)),
        ("segment", True, str(job.pk)),
    ]
    with pytest.raises(ServiceError, match="does not register"):
        registering.register(job.pk)


def _flip(bundle: BulkBundle) -> None:
    graph = next(Path(bundle.path).glob("*.faiss"))
    data = bytearray(graph.read_bytes())
    data[len(data) // 2] ^= 1
    graph.write_bytes(data)


def _exchange(bundle: BulkBundle) -> None:
    """The bundle of another shard in its place."""
    other = BulkBundle.objects.exclude(shard=bundle.shard).get()
    BulkBundle.objects.filter(job=bundle.job, shard=bundle.shard).update(path=other.path, sha256=other.sha256)


DAMAGES: dict[str, Callable[[BulkBundle], Any]] = {
    "a byte": _flip,
    "a size": lambda bundle: (Path(bundle.path) / "codes.npy").write_bytes(b""),
    "missing": lambda bundle: shutil.rmtree(bundle.path),
    "that of another shard": _exchange,
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_bundle_that_cannot_be_used_is_replaced_by_the_rows(
    job: BulkJob, tmp_path: Path, start: Start, connection: log_reader.Connection, damage: str
) -> None:
    follower, before = start(), (counted("refused"), counted("replaced"))
    put(("online", "text"))
    index()
    follow(follower, connection)
    (bundle,) = (found for found in bundles(job, tmp_path) if found.shard == SHARD)
    DAMAGES[damage](bundle)
    until_prepared(follower, connection, job, "refused")
    change_some()
    registering.register(job.pk)
    put((IDS[101], "another text"))
    index()
    follow(follower, connection)
    assert known(follower) == of_shard()
    assert (counted("refused"), counted("replaced")) == (before[0] + 1, before[1] + 1)


def test_without_any_bundle_the_rows_are_read(
    job: BulkJob, tmp_path: Path, start: Start, connection: log_reader.Connection
) -> None:
    follower = start()
    put(("online", "text"))
    index()
    follow(follower, connection)
    bundles(job, tmp_path)
    registering.register(job.pk)
    BulkBundle.objects.filter(job=job).delete()
    follow(follower, connection)
    assert known(follower) == of_shard()


@pytest.mark.parametrize("bundle_is_there", [True, False])
def test_a_replica_that_comes_back_by_its_snapshot_meets_the_entry(
    job: BulkJob, tmp_path: Path, start: Start, connection: log_reader.Connection, bundle_is_there: bool
) -> None:
    first = start()
    put(("online", "text"))
    index()
    follow(first, connection)
    change_some()
    follow(first, connection)
    (source,) = (source for source in first.snapshot_sources() if source.log.version_key == version_key())
    write_snapshot(source)
    first._drop(lambda _: True)
    bundles(job, tmp_path)
    registering.register(job.pk)
    if not bundle_is_there:
        shutil.rmtree(tmp_path / "bundles")
    again = start()
    follow(again, connection)
    assert known(again) == of_shard()


def test_replicas_that_load_from_postgres_before_or_after_the_entry_hold_the_same(
    job: BulkJob, tmp_path: Path, start: Start, connection: log_reader.Connection
) -> None:
    """A replica that loads while the block is closed has no tombstones of what was deleted in it."""
    bundles(job, tmp_path)
    change_some()
    early = start(0)
    follow(early, connection)
    until_prepared(early, connection, job)
    registering.register(job.pk)
    late = start(1)
    for follower in (early, late):
        follow(follower, connection)
        assert known(follower) == of_shard()


def test_a_snapshot_with_the_documents_is_enough_afterwards(
    job: BulkJob, tmp_path: Path, start: Start, connection: log_reader.Connection
) -> None:
    first = start()
    bundles(job, tmp_path)
    until_prepared(first, connection, job)
    registering.register(job.pk)
    follow(first, connection)
    (source,) = (source for source in first.snapshot_sources() if source.log.version_key == version_key())
    write_snapshot(source)
    first._drop(lambda _: True)
    shutil.rmtree(tmp_path / "bundles")
    BulkBundle.objects.filter(job=job).delete()
    again, before = start(), counted("replaced")
    follow(again, connection)
    assert known(again) == of_shard()
    assert counted("replaced") == before


def test_a_job_that_is_aborted_takes_its_bundles_back(
    job: BulkJob, tmp_path: Path, start: Start, connection: log_reader.Connection
) -> None:
    follower = start()
    bundles(job, tmp_path)
    until_prepared(follower, connection, job)
    job.refresh_from_db()
    begin_abort(job)
    end_abort(job)
    until(follower, connection, lambda: prepared() == {})
    assert known(follower) == 0
    assert not list(served(follower).directory.rglob("*.faiss"))


def test_a_replica_without_memory_says_so(
    job: BulkJob, tmp_path: Path, start: Start, connection: log_reader.Connection
) -> None:
    memory = MemoryBudget(1 << 40, spared=0)
    follower, before = start(memory=memory), counted("no_room")
    put(("online", "text"))
    index()
    follow(follower, connection)
    memory._limit, memory._known_until = 1, float("-inf")
    bundles(job, tmp_path)
    until_prepared(follower, connection, job, "no_room")
    assert counted("no_room") == before + 1
    registering.register(job.pk)
    refused = "SELECT 1 FROM shard_replica WHERE state = 'no_room' AND problem <> ''"
    until(follower, connection, lambda: bool(rows(refused)))
    memory._limit = 1 << 40
    follow(follower, connection)
    assert known(follower) == of_shard()
