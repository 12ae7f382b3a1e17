"""Jobs on Spark whose workers and drivers are killed: every row ends up in the tables once."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from pyspark.sql import SparkSession

from embedding_project.config import PROJECT_ROOT, load_config
from embeddings_app.models import BulkBucket, BulkJob, BulkState, ModelRegistry
from tests.integration.bulk_loads import MODEL, SPACE, external_model, new_job, source_row, write_lines
from tests.integration.bulk_steps import seen_by_nodes
from tests.integration.indexing_steps import rows
from tests.integration.spark_suite.loads import by_spark, lead

ROWS, BUCKET_ROWS = 1_200, 20
PATIENCE_SECONDS = 300.0


@pytest.fixture
def version(database: str) -> Iterator[ModelRegistry]:
    with external_model() as made:
        yield made


@pytest.fixture
def source(tmp_path: Path) -> Path:
    ids = [f"doc/{number:05d}" for number in range(ROWS)]
    return write_lines(tmp_path / "rows.jsonl", [source_row(doc_id, doc_id) for doc_id in [*ids, *ids[:100]]])


def _until(condition: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not (found := condition()):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return found


def _loading() -> bool:
    """Whether some buckets are loaded, and many are not."""
    return BulkBucket.objects.count() > 3


def _below(pid: int) -> dict[int, str]:
    """Every process that this one or one of them started, with its command."""
    found: dict[int, str] = {}
    waiting = [pid]
    while waiting:
        parent = waiting.pop()
        for task in Path(f"/proc/{parent}/task").glob("*"):
            try:
                children = list(map(int, (task / "children").read_text(encoding="ascii").split()))
            except (FileNotFoundError, ProcessLookupError):
                continue
            for child in children:
                found[child] = _command(child)
                waiting.append(child)
    return found


def _command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return ""


def _workers(pid: int) -> list[int]:
    """The Python workers: those that the daemon of Spark has started."""
    daemons = [child for child, command in _below(pid).items() if "pyspark.daemon" in command]
    return [worker for daemon in daemons for worker, command in _below(daemon).items() if "pyspark.daemon" in command]


def _lives(pid: int) -> bool:
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False


def _check_loaded(job: BulkJob, version: ModelRegistry) -> None:
    assert job.state == BulkState.DONE, job.error
    assert rows("SELECT count(*), count(DISTINCT doc_id) FROM document") == [(ROWS, ROWS)]
    for table in ("embedding_record", "embedding_vector"):
        assert rows(f"SELECT count(*) FROM {table} WHERE model_version_id = %s", version.pk) == [(ROWS,)]
    assert len(seen_by_nodes(version.pk)) == ROWS
    logged = rows("SELECT count(DISTINCT document_key), count(*) FROM index_feed WHERE vector IS NOT NULL")
    assert logged == [(ROWS, ROWS)]
    assert (job.counts["read"], job.counts["inserted"], job.counts["duplicates"]) == (ROWS + 100, ROWS, 100)


def _lead_in_thread(job: BulkJob, work: Path, session: SparkSession) -> BulkJob:
    try:
        return lead(job, work, by_spark(session))
    finally:
        connection.close()


def test_workers_that_are_killed_cost_their_buckets_alone(
    version: ModelRegistry, source: Path, tmp_path: Path, session: SparkSession
) -> None:
    job = new_job(source, bucket_rows=BUCKET_ROWS)
    with ThreadPoolExecutor(1) as thread:
        led = thread.submit(_lead_in_thread, job, tmp_path, session)
        for _ in range(2):
            _until(_loading)
            os.kill(_until(lambda: _workers(os.getpid()))[0], signal.SIGKILL)
            time.sleep(0.2)
        assert not led.done()
        _check_loaded(led.result(PATIENCE_SECONDS), version)


def test_a_driver_that_is_killed_leaves_no_process_and_another_goes_on(
    version: ModelRegistry, source: Path, tmp_path: Path, session: SparkSession
) -> None:
    errors = tmp_path / "errors"
    options = ("--namespace", SPACE, "--model-id", MODEL, "--bucket-rows", str(BUCKET_ROWS), "--engine", "spark")
    command = [sys.executable, "manage.py", "bulk_ingest", "run", str(source), *options, "--master", "local[1]"]
    with errors.open("wb") as file:
        driver = subprocess.Popen(command, cwd=PROJECT_ROOT, stderr=file)
    try:
        _until(lambda: _loading() or driver.poll() is not None)
        assert driver.poll() is None, errors.read_text()
        started = list(_below(driver.pid))
        assert len(started) >= 3  # Java, Spark's daemon, a worker
    finally:
        driver.kill()
        driver.wait()
    _until(lambda: not any(map(_lives, started)))
    job = BulkJob.objects.get()
    assert job.state == BulkState.LOADING
    assert BulkBucket.objects.count() < len(job.splitters) + 1
    assert seen_by_nodes(version.pk) == set()
    _check_loaded(lead(job, load_config().var_dir / "bulk", by_spark(session)), version)
