"""Whole bulk jobs that build their graphs, beside index nodes in processes of their own, all of which may be killed."""

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from embedding_project.config import PROJECT_ROOT
from embeddings_app.models import BulkBundle, BulkJob, BulkState, BulkWish, ModelRegistry
from embeddings_app.records.topology import read_topology
from embeddings_app.services.bulk.jobs import want
from tests.integration.bulk_commands import WORK, spawned
from tests.integration.bulk_loads import MODEL, SPACE, external_model, source_row, upsert_rows, write_lines
from tests.integration.indexing_steps import in_thread, rows
from tests.integration.shard_digests import ShardDigest, shard_digest
from tests.integration.test_bulk_beside_writers import Writer

IDS = [f"doc/{number:04d}" for number in range(2_000)]
PATIENCE_SECONDS = 120.0
Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def version(database: str) -> Iterator[ModelRegistry]:
    shutil.rmtree(WORK, ignore_errors=True)
    with external_model() as made:
        yield made
    shutil.rmtree(WORK, ignore_errors=True)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return write_lines(tmp_path / "rows.jsonl", [source_row(doc_id, doc_id, {"n": 1}) for doc_id in IDS])


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts commands; none outlives the test."""
    started: list[subprocess.Popen[str]] = []

    def run(*arguments: object, module: str = "bulk_ingest") -> "subprocess.Popen[str]":
        argv = [sys.executable, "-m", module, *map(str, arguments)]
        out = subprocess.PIPE if module == "bulk_ingest" else subprocess.DEVNULL
        started.append(subprocess.Popen(argv, cwd=PROJECT_ROOT, stdout=out, stderr=out, text=True))
        return started[-1]

    yield run
    for process in started:
        process.kill()
        process.communicate()


def run_job(start: Start, source: Path) -> "subprocess.Popen[str]":
    options = ("--namespace", SPACE, "--model-id", MODEL, "--bucket-rows", 500, "--graphs-from", 1)
    return start("run", source, *options)


def start_node(start: Start, tmp_path: Path, shard: int) -> "subprocess.Popen[str]":
    folder = tmp_path / f"node-{shard}"
    return start("--shard", shard, "--folder", folder, module="tests.integration.node_process")


def until(condition: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not (found := condition()):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return found


def check_end(process: "subprocess.Popen[str]", code: int = 0) -> None:
    """Wait for the end of a command."""
    _, err = process.communicate(timeout=PATIENCE_SECONDS)
    assert (process.returncode, "Traceback" in err) == (code, False), err


def in_state(*states: BulkState) -> BulkJob | None:
    return BulkJob.objects.filter(state__in=states).first()


def kill(process: "subprocess.Popen[str]") -> None:
    process.kill()
    process.communicate()


def nodes_agree(version: ModelRegistry) -> bool:
    """Whether both shards have a replica that has applied its log and holds what the tables hold."""
    layout = read_topology().layout
    found = rows(
        """
        SELECT r.shard, r.digest, r.documents FROM shard_replica r
        JOIN shard_counter c USING (layout_id, model_version_id, shard)
        WHERE r.model_version_id = %s AND r.state = 'ready' AND r.applied_seq = c.head
          AND r.heartbeat > now() - interval '5 s'
        """,
        version.pk,
    )
    held = {shard: ShardDigest(digest, documents) for shard, digest, documents in found}
    return held == {shard: shard_digest(layout, version.pk, shard) for shard in range(2)}


def check_done(version: ModelRegistry) -> None:
    assert BulkJob.objects.get().state == BulkState.DONE
    assert rows("SELECT count(*), count(DISTINCT doc_id) FROM document WHERE NOT deleted") == [(len(IDS), len(IDS))]
    assert rows("SELECT kind, count(*) FROM shard_change GROUP BY 1") == [("segment", 2)]
    assert {path.name for path in WORK.glob("*/*")} <= {"rejects", "bundles"}
    assert len(list(WORK.glob("*/bundles/*/*"))) == BulkBundle.objects.count() == 2


def test_nodes_take_over_what_a_job_has_built(
    version: ModelRegistry, source: Path, start: Start, tmp_path: Path
) -> None:
    for shard in range(2):
        start_node(start, tmp_path, shard)
    check_end(run_job(start, source))
    until(lambda: nodes_agree(version))
    check_done(version)
    in_graphs = rows("SELECT sum(graph_documents) FROM shard_replica WHERE model_version_id = %s", version.pk)
    assert in_graphs == [(len(IDS),)]


@pytest.mark.parametrize("state", [BulkState.LOADING, BulkState.BUILDING, BulkState.PREPARING])
def test_a_leader_that_is_killed_leaves_a_job_that_goes_on(
    version: ModelRegistry, source: Path, start: Start, tmp_path: Path, state: BulkState
) -> None:
    nodes = [start_node(start, tmp_path, shard) for shard in range(2)]
    if state is BulkState.PREPARING:
        # Frozen, so that the job waits for them.
        until(lambda: rows("SELECT 1 FROM shard_replica WHERE model_version_id = %s AND shard = 0", version.pk))
        nodes[0].send_signal(signal.SIGSTOP)
    process = run_job(start, source)
    job = until(lambda: in_state(state))
    kill(process)
    nodes[0].send_signal(signal.SIGCONT)
    assert rows("SELECT 1 FROM shard_change") == []
    check_end(start("resume", job.pk))
    until(lambda: nodes_agree(version))
    check_done(version)


def test_a_builder_that_is_killed_is_replaced(version: ModelRegistry, source: Path, start: Start) -> None:
    process = run_job(start, source)
    until(lambda: in_state(BulkState.BUILDING))
    for pid in until(lambda: spawned(process)):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    check_end(process)
    check_done(version)


def test_a_node_that_is_killed_while_it_prepares_begins_again(
    version: ModelRegistry, source: Path, start: Start, tmp_path: Path
) -> None:
    nodes = [start_node(start, tmp_path, shard) for shard in range(2)]
    process = run_job(start, source)
    until(lambda: in_state(BulkState.PREPARING, BulkState.DONE))
    kill(nodes[0])
    nodes[0] = start_node(start, tmp_path, 0)
    check_end(process)
    until(lambda: nodes_agree(version))
    check_done(version)


def test_a_pause_and_an_abort_while_replicas_prepare(
    version: ModelRegistry, source: Path, start: Start, tmp_path: Path
) -> None:
    node = start_node(start, tmp_path, 0)
    until(lambda: rows("SELECT 1 FROM shard_replica WHERE model_version_id = %s", version.pk))
    node.send_signal(signal.SIGSTOP)
    process = run_job(start, source)
    job = until(lambda: in_state(BulkState.PREPARING))
    want(job, BulkWish.PAUSE, "tests")
    check_end(process, 4)
    node.send_signal(signal.SIGCONT)
    prepared = "SELECT prepared FROM shard_replica WHERE model_version_id = %s AND shard = 0"
    until(lambda: json.loads(rows(prepared, version.pk)[0][0] or "{}").get(str(job.pk)) == "ready")
    check_end(start("abort", job.pk))
    until(lambda: rows(prepared, version.pk) == [("{}",)])
    assert rows("SELECT 1 FROM document UNION ALL SELECT 1 FROM bulk_bundle") == []
    assert list(WORK.iterdir()) == []


def test_what_clients_write_meanwhile_stays_everywhere(
    version: ModelRegistry, source: Path, start: Start, tmp_path: Path
) -> None:
    nodes = [start_node(start, tmp_path, shard) for shard in range(2)]
    upsert_rows([source_row(doc_id, "before the job") for doc_id in IDS[:20]])
    writers, stop = [Writer(number) for number in range(2)], threading.Event()
    process = run_job(start, source)
    with ThreadPoolExecutor(len(writers)) as pool:
        until(lambda: in_state(BulkState.LOADING, BulkState.BUILDING))
        writing = [pool.submit(in_thread, writer.write, stop) for writer in writers]
        try:
            until(lambda: in_state(BulkState.PREPARING, BulkState.DONE))
            kill(nodes[1])
            nodes[1] = start_node(start, tmp_path, 1)
            check_end(process)
            time.sleep(1.0)
        finally:
            stop.set()
        for one in writing:
            one.result()
    until(lambda: nodes_agree(version))
    expected: dict[str, str | None] = {doc_id: doc_id for doc_id in IDS}
    for writer in writers:
        expected |= writer.expected
    assert dict(rows("SELECT doc_id, CASE WHEN NOT deleted THEN text END FROM document")) == expected
    assert rows("SELECT count(*) FROM shard_change WHERE kind = 'segment'") == [(2,)]
    assert rows("SELECT 1 FROM bulk_touched") == []
