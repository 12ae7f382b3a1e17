"""Bulk jobs of the role bulk, while Postgres or the role is killed and clients write the same ids: each row once, and
what clients wrote last stays, in Postgres and in every replica."""

import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from tests.chaos.content import Place
from tests.conftest import Service
from tests.faults.bulk_writers import OF_THE_FILE, BulkWriters, found, row, violations
from tests.faults.recovery import wait_until_ready
from tests.faults.roles import kill, running

ROWS, BUCKET_ROWS, WRITTEN = 1_200, 20, 60
FILES = 12
LEAST_WRITES = 50
PATIENCE_SECONDS = 120.0
IDS = [f"doc-{number:05}" for number in range(ROWS)]
PART_BY_PART, BY_SEGMENTS = 10**9, 1
"""How many rows a job must have to build graphs."""
HOLD_LAST_FILE = """
SELECT 1 FROM bulk_file WHERE job_id = %s ORDER BY number DESC LIMIT 1 FOR UPDATE
"""
HOLD_LAST_DOCUMENT = """
INSERT INTO document
    (namespace_id, doc_id, text, metadata, content_hash, revision, text_revision, deleted, shard_hash,
     created_at, updated_at)
SELECT namespace_id, %s, '', '{}', '', 1, 1, false, 0, now(), now() FROM bulk_job WHERE id = %s
"""
HOLD_BLOCK = "SELECT 1 FROM bulk_block WHERE job_id = %s FOR SHARE"
WAITS_FOR_THE_BLOCK = """
SELECT 1 FROM pg_stat_activity
WHERE wait_event_type = 'Lock' AND query LIKE '%bulk_block%' AND query LIKE '%FOR NO KEY UPDATE%'
"""
COUNTS = """
SELECT count(*), count(DISTINCT d.doc_id),
       (SELECT count(*) FROM document a JOIN embedding_record r ON r.document_id = a.id
        WHERE a.namespace_id = n.id AND NOT a.deleted),
       (SELECT count(*) FROM document a JOIN embedding_vector v ON v.document_id = a.id
        WHERE a.namespace_id = n.id AND NOT a.deleted)
FROM document d JOIN namespace n ON n.id = d.namespace_id WHERE n.name = %s AND NOT d.deleted GROUP BY n.id
"""
REPLICAS_THAT_DIFFER = """
WITH held AS (
    SELECT layout_id, model_version_id, shard,
           sum(('x' || left(md5(document_key || ':' || revision || ':' || text_revision), 16))::bit(64)::bigint
               & 9223372036854775807) %% 9223372036854775808 AS digest
    FROM index_row GROUP BY 1, 2, 3
)
SELECT r.shard, r.replica FROM shard_replica r
JOIN shard_counter c USING (layout_id, model_version_id, shard) JOIN model_registry m ON m.id = r.model_version_id
LEFT JOIN held USING (layout_id, model_version_id, shard)
WHERE m.model_id = %s AND r.heartbeat > now() - interval '5 s'
  AND (r.state <> 'ready' OR r.applied_seq <> c.head OR r.digest <> coalesce(held.digest, 0))
"""
Json = dict[str, Any]


@contextmanager
def postgres(service: Service) -> Iterator["psycopg.Connection[Any]"]:
    # Closed without a last query, which would fail where a test killed the server; Postgres rolls back by itself.
    with closing(psycopg.connect(running(service).environment["DATABASE_URL"], autocommit=True)) as connection:
        yield connection


def until(condition: Callable[[], Any], pause: float = 0.05) -> Any:
    """What the condition gives once that is true."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not (answer := condition()):
        assert time.monotonic() < deadline
        time.sleep(pause)
    return answer


class Job:
    """A job for the role bulk, beside clients that write some of its ids."""

    def __init__(self, service: Service, model_id: str, folder: Path, namespace: str, graphs_from: int) -> None:
        for number in range(FILES):
            lines = [json.dumps(row(doc_id, OF_THE_FILE, 1)) for doc_id in IDS[number::FILES]]
            (folder / f"{number:02}.jsonl").write_text("\n".join(lines), encoding="utf-8")
        self.namespace, self.model_id = namespace, model_id
        self._service = service
        options = ("--bucket-rows", str(BUCKET_ROWS), "--graphs-from", str(graphs_from))
        target = ("--namespace", namespace, "--model-id", model_id)
        self.key = int(service.manage("bulk_ingest", "make", str(folder), *target, *options))
        # Ids of all buckets.
        self._ids = IDS[:: ROWS // WRITTEN]
        self._writers = BulkWriters(service.url, namespace, model_id, self._ids)

    def begin(self) -> None:
        """From here on the role works on it."""
        assert self._ask("POST", "/resume").status_code == 200

    def _ask(self, method: str, path: str = "") -> httpx.Response:
        return httpx.request(method, f"{self._service.url}/v1/imports/{self.key}{path}", timeout=30)

    def told(self) -> Json:
        """What the API says; empty while it does not answer."""
        try:
            answer = self._ask("GET")
        except httpx.HTTPError:
            return {}
        told: Json = answer.json() if answer.status_code == 200 else {}
        assert told.get("state") != "failed", told
        return told

    def until(self, condition: Callable[[Json], bool]) -> None:
        until(lambda: (told := self.told()) and condition(told))

    def check(self) -> None:
        """Wait for the end, and judge it."""
        self.until(lambda told: told["state"] == "done")
        until(lambda: self._writers.acknowledged() > LEAST_WRITES)
        operations = self._writers.stop()
        rows = until(self.told)["rows"]
        assert rows["read"] == ROWS == sum(count for name, count in rows.items() if name != "read"), rows
        with postgres(self._service) as connection:
            until(lambda: not connection.execute(REPLICAS_THAT_DIFFER, [self.model_id]).fetchall())
            shown = self._shown()
            assert list(violations(operations, shown, time.monotonic())) == []
            ((documents, names, records, vectors),) = connection.execute(COUNTS, [self.namespace]).fetchall()
        assert documents == names == records == vectors == ROWS - sum(not versions for versions in shown.values())

    def stop(self) -> None:
        self._writers.stop()

    def _shown(self) -> dict[Place, Sequence[int]]:
        """What both replicas of each shard, which take turns, show of each document that clients wrote."""
        shown: dict[Place, Sequence[int]] = {}
        with httpx.Client(base_url=self._service.url, timeout=30) as client:
            for doc_id in self._ids:
                first, second = self._versions(client, doc_id), self._versions(client, doc_id)
                assert first == second
                shown[Place(self.namespace, doc_id)] = first
        return shown

    def _versions(self, client: httpx.Client, doc_id: str) -> list[int]:
        def whole() -> list[list[int]]:
            versions = found(client, self.namespace, doc_id)
            return [] if versions is None else [versions]

        (versions,) = until(whole)
        return list(versions)


@pytest.fixture
def new_job(service: Service, external_model: str, tmp_path: Path) -> Iterator[Callable[..., Job]]:
    made: list[Job] = []

    def make(namespace: str, graphs_from: int = PART_BY_PART) -> Job:
        made.append(Job(service, external_model, tmp_path, namespace, graphs_from))
        return made[-1]

    yield make
    for job in made:
        job.stop()


@contextmanager
def held(service: Service, hold: str, *parameters: object) -> Iterator[None]:
    """The block runs while a transaction holds something. Without that a job of this size may come to its end between
    two looks at it."""
    with postgres(service) as connection:
        connection.execute("BEGIN")
        until(lambda: connection.execute(hold.encode(), parameters).rowcount)
        yield


@contextmanager
def held_while_it_loads(service: Service, job: Job) -> Iterator[None]:
    """The block runs while the last bucket waits to know whether a client writes one of its documents."""
    with held(service, HOLD_LAST_DOCUMENT, IDS[-1], job.key):
        job.begin()
        job.until(lambda told: told["state"] == "loading")
        yield


@contextmanager
def held_at_the_registration(service: Service, job: Job) -> Iterator[None]:
    """The block runs while the transaction that makes documents of the job visible waits for a lock."""
    with ExitStack() as holds:
        with held_while_it_loads(service, job):
            # Clients that change documents of the block share the lock.
            holds.enter_context(held(service, HOLD_BLOCK, job.key))
        with postgres(service) as other:
            until(lambda: other.execute(WAITS_FOR_THE_BLOCK).fetchall())
        yield


def test_a_job_goes_on_when_postgres_is_killed_while_it_loads(service: Service, new_job: Callable[..., Job]) -> None:
    job = new_job("killed-loading")
    with held_while_it_loads(service, job):
        job.until(lambda told: told["rows"]["inserted"] > 0)
        kill(service, "postgres")
    wait_until_ready(service)
    job.check()


@pytest.mark.parametrize("graphs_from", [PART_BY_PART, BY_SEGMENTS])
def test_a_job_goes_on_when_postgres_is_killed_in_the_registration(
    service: Service, new_job: Callable[..., Job], graphs_from: int
) -> None:
    job = new_job(f"killed-registering-{graphs_from}", graphs_from)
    with held_at_the_registration(service, job):
        kill(service, "postgres")
    wait_until_ready(service)
    job.check()


@pytest.mark.parametrize("graphs_from", [PART_BY_PART, BY_SEGMENTS])
def test_a_job_goes_on_when_its_leader_is_killed_in_the_registration(
    service: Service, new_job: Callable[..., Job], graphs_from: int
) -> None:
    job = new_job(f"led-registering-{graphs_from}", graphs_from)
    with held_at_the_registration(service, job):
        kill(service, "bulk")
    job.check()


def test_a_job_goes_on_when_its_leader_is_killed_while_files_are_spread(
    service: Service, new_job: Callable[..., Job]
) -> None:
    job = new_job("led-spreading")
    with held(service, HOLD_LAST_FILE, job.key):
        job.begin()
        job.until(lambda told: told["state"] == "planned" and told["rows"]["read"] > 0)
        kill(service, "bulk")
    job.check()
