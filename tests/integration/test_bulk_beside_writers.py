"""Clients write, change and delete the ids of a bulk job while it loads and while it registers."""

import random
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from bulk_ingest.loading import load_bucket
from bulk_ingest.tasks import BucketTask
from embeddings_app.models import BulkJob, BulkState, ModelRegistry
from embeddings_app.records import bulk_jobs
from embeddings_app.services.bulk import registering
from embeddings_app.services.documents.deleting import delete
from tests.integration.bulk_loads import SPACE, external_model, source_row, spread_job, upsert_rows, write_lines
from tests.integration.bulk_steps import seen_by_nodes
from tests.integration.indexing_steps import in_thread, rows

IDS = [f"doc/{number:04d}" for number in range(900)]
WRITERS = 3
LOGGED = """
SELECT DISTINCT ON (document_key) document_key, revision FROM index_feed
WHERE model_version_id = %s AND NOT deleted AND vector IS NOT NULL ORDER BY document_key, seq DESC
"""


@pytest.fixture
def version(database: str) -> Iterator[ModelRegistry]:
    with external_model() as made:
        yield made


class Writer:
    """A client that alone writes its ids, and knows what each must hold."""

    def __init__(self, number: int) -> None:
        self._random = random.Random(number)
        self._ids = IDS[number::WRITERS]
        self.expected: dict[str, str | None] = {}
        """Text of each document that it wrote; None for one that it deleted."""

    def write(self, ended: threading.Event) -> None:
        while not ended.is_set():
            doc_id, what = self._random.choice(self._ids), self._random.random()
            if what < 0.3:
                if delete(SPACE, doc_id).deleted:
                    self.expected[doc_id] = None
            elif what < 0.5:
                # The text of the files, so that it may be a change of the metadata alone.
                upsert_rows([source_row(doc_id, doc_id, {"n": what})])
                self.expected[doc_id] = doc_id
            else:
                upsert_rows([source_row(doc_id, f"{doc_id} {what}")])
                self.expected[doc_id] = f"{doc_id} {what}"


def _beside_writers(writers: list[Writer], *work: Callable[[], object]) -> None:
    """Do the work in threads while the writers write."""
    ended = threading.Event()
    with ThreadPoolExecutor(len(writers) + len(work)) as pool:
        writing = [pool.submit(in_thread, writer.write, ended) for writer in writers]
        try:
            for done in [pool.submit(in_thread, one) for one in work]:
                done.result()
        finally:
            ended.set()
        for one in writing:
            one.result()


def _load(tasks: list[BucketTask]) -> None:
    for task in tasks:
        assert load_bucket(task)


def _open(job: BulkJob) -> None:
    while not registering.open_part(job.pk, 50).ended:
        pass


def test_the_last_write_of_each_client_stays_and_nodes_hear_of_it(version: ModelRegistry, tmp_path: Path) -> None:
    upsert_rows([source_row(doc_id, "before the job") for doc_id in IDS[::10]])
    path = write_lines(tmp_path / "rows.jsonl", [source_row(doc_id, doc_id) for doc_id in IDS])
    loaded = spread_job(path, tmp_path, bucket_rows=60)
    tasks = list(loaded.tasks())
    writers = [Writer(number) for number in range(WRITERS)]
    # Each bucket is loaded three times, in other orders.
    _beside_writers(
        writers,
        lambda: _load(tasks),
        lambda: _load(tasks[::-1]),
        lambda: _load(random.Random(1).sample(tasks, len(tasks))),
    )
    counts = bulk_jobs.count_rows(loaded.job.pk)
    assert counts.add_up
    BulkJob.objects.filter(pk=loaded.job.pk).update(state=BulkState.REGISTERING)
    _beside_writers(writers, lambda: _open(loaded.job))
    texts = dict(rows("SELECT doc_id, CASE WHEN NOT deleted THEN text END FROM document"))
    expected: dict[str, str | None] = {doc_id: doc_id for doc_id in IDS}
    for writer in writers:
        expected |= writer.expected
    assert texts == expected
    live = set(rows("SELECT id, revision FROM document WHERE NOT deleted"))
    assert seen_by_nodes(version.pk) == set(rows(LOGGED, version.pk)) == live


def test_clients_that_insert_ids_of_a_bucket_all_the_time_do_not_hold_it_up(
    version: ModelRegistry, tmp_path: Path
) -> None:
    path = write_lines(tmp_path / "rows.jsonl", [source_row(doc_id, doc_id) for doc_id in IDS])
    loaded = spread_job(path, tmp_path, bucket_rows=10_000)
    time.sleep(0.01)
    ended = threading.Event()

    def insert() -> None:
        for doc_id in IDS:
            if ended.is_set():
                break
            upsert_rows([source_row(doc_id, "online")])

    with ThreadPoolExecutor(2) as pool:
        inserting = pool.submit(in_thread, insert)
        try:
            loaded.load()
        finally:
            ended.set()
        inserting.result()
    assert rows("SELECT count(*) FROM document") == [(len(IDS),)]
