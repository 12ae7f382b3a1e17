"""Whole bulk jobs by the command, in real processes that are killed, paused and aborted."""

import json
import os
import shutil
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from embeddings_app.models import BulkBucket, BulkJob, BulkState, BulkWish, ModelRegistry
from embeddings_app.records import bulk_jobs
from embeddings_app.records.topology import renew_epoch
from embeddings_app.services.bulk import registering
from embeddings_app.services.bulk.jobs import want
from tests.integration.bulk_commands import WORK, Start, ended, spawned, started_commands, until
from tests.integration.bulk_loads import MODEL, SPACE, external_model, new_job, source_row, upsert_rows, write_lines
from tests.integration.bulk_steps import loaded, made_job, seen_by_nodes
from tests.integration.indexing_steps import rows

ROWS, BUCKET_ROWS = 4_000, 10
LOGS_WITH_GAPS = """
SELECT c.head, count(s.seq) FROM shard_counter c
LEFT JOIN shard_change s USING (layout_id, model_version_id, shard) GROUP BY c.id HAVING c.head <> count(s.seq)
"""


@pytest.fixture
def version(database: str) -> Iterator[ModelRegistry]:
    shutil.rmtree(WORK, ignore_errors=True)
    with external_model() as made:
        yield made
    shutil.rmtree(WORK, ignore_errors=True)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Two files with some rows in both, and some bad ones."""
    ids = [f"doc/{number:05d}" for number in range(ROWS)]
    write_lines(tmp_path / "a.jsonl", [source_row(doc_id, "first") for doc_id in ids[: ROWS // 2 + 100]])
    bad = [{"id": f"bad {number}"} for number in range(50)]
    write_lines(tmp_path / "b.jsonl", [*(source_row(doc_id, "last") for doc_id in reversed(ids[ROWS // 2 :])), *bad])
    return tmp_path


@pytest.fixture
def start() -> Iterator[Start]:
    with started_commands() as run:
        yield run


def _run(source: Path, *options: object) -> Sequence[object]:
    return ("run", source, "--namespace", SPACE, "--model-id", MODEL, "--bucket-rows", BUCKET_ROWS, *options)


def _loading() -> BulkJob | None:
    """The job, once some of its buckets are loaded and many are not."""
    return BulkJob.objects.first() if BulkBucket.objects.count() > 3 else None


def _lives(pid: int) -> bool:
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False


def _check_loaded(version: ModelRegistry) -> None:
    """Every row once, found by nodes that load and by those that follow the log."""
    assert rows("SELECT count(*), count(DISTINCT doc_id) FROM document WHERE NOT deleted") == [(ROWS, ROWS)]
    assert rows("SELECT text, count(*) FROM document GROUP BY 1 ORDER BY 1") == [
        ("first", ROWS // 2),
        ("last", ROWS // 2),
    ]
    for table in ("embedding_record", "embedding_vector"):
        assert rows(f"SELECT count(*) FROM {table} WHERE model_version_id = %s", version.pk) == [(ROWS,)]
    assert len(seen_by_nodes(version.pk)) == ROWS
    logged = rows("SELECT count(DISTINCT document_key), count(*) FROM index_feed WHERE vector IS NOT NULL")
    assert logged == [(ROWS, ROWS)]
    assert rows(LOGS_WITH_GAPS) == []
    job = BulkJob.objects.get()
    assert job.counts == {
        "read": ROWS + 150,
        "inserted": ROWS,
        "updated": 0,
        "unchanged": 0,
        "superseded": 0,
        "duplicates": 100,
        "rejected": 50,
    }


def test_a_job_loads_everything_and_says_what_it_left_out(version: ModelRegistry, source: Path, start: Start) -> None:
    code, out, err = ended(start(*_run(source, "--key", "once")))
    assert (code, err.count("Traceback")) == (3, 0), err
    _check_loaded(version)
    job = BulkJob.objects.get()
    assert f"bulk job {job.pk}  {SPACE}  done" in out
    code, out, _ = ended(start("rejects", job.pk))
    rejects = [json.loads(line) for line in out.splitlines()]
    assert len(rejects) == 50
    assert rejects[0] == {
        "file": str(source / "b.jsonl"),
        "row": ROWS // 2 + 1,
        "doc_id": "bad 0",
        "field": "vector",
        "code": "vector_required",
    }
    code, out, _ = ended(start("show", job.pk, "--json"))
    shown = json.loads(out)
    assert shown["rows"]["inserted"] == ROWS
    assert shown["registering_seconds"] > 0
    assert "longest transaction that made documents visible" in ended(start("show", job.pk))[1]
    code, out, _ = ended(start(*_run(source, "--key", "once")))
    assert (code, BulkJob.objects.count()) == (3, 1)


def _work_files() -> set[str]:
    return {str(path.relative_to(WORK)) for path in WORK.rglob("*") if path.is_file()}


def test_files_of_jobs_that_ended_go_whoever_died(version: ModelRegistry, source: Path, start: Start) -> None:
    ended(start(*_run(source)))
    done = BulkJob.objects.get()
    kept = {f"{done.pk}/rejects/000001.jsonl"}
    assert _work_files() == kept
    for left in (f"{done.pk}/spread/000000-000000.arrow", "999999/spread/000000-000000.arrow"):
        (WORK / left).parent.mkdir(parents=True)
        (WORK / left).touch()
    job = new_job(source, namespace="another")
    want(job, BulkWish.PAUSE, "tests")
    ended(start("abort", job.pk))
    assert _work_files() == kept


def test_the_same_input_again_changes_nothing(version: ModelRegistry, source: Path, start: Start) -> None:
    ended(start(*_run(source)))
    entries = rows("SELECT count(*) FROM shard_change")
    assert ended(start(*_run(source)))[0] == 3
    assert rows("SELECT count(*) FROM shard_change") == entries
    assert BulkJob.objects.latest("pk").counts["unchanged"] == ROWS


def test_a_worker_that_is_killed_costs_nothing(version: ModelRegistry, source: Path, start: Start) -> None:
    process = start(*_run(source))
    until(_loading)
    for _ in range(2):
        os.kill(until(lambda: spawned(process))[0], signal.SIGKILL)
        time.sleep(0.2)
    assert ended(process)[0] == 3
    _check_loaded(version)


def test_a_leader_that_is_killed_leaves_nobody_and_another_goes_on(
    version: ModelRegistry, source: Path, start: Start
) -> None:
    process = start(*_run(source))
    job = until(_loading)
    children = spawned(process)
    assert children
    process.kill()
    process.communicate()
    until(lambda: not any(map(_lives, children)))
    before = BulkBucket.objects.count()
    assert 0 < before < ROWS // BUCKET_ROWS
    assert seen_by_nodes(version.pk) == set()
    assert ended(start("resume", job.pk))[0] == 3
    _check_loaded(version)


def test_a_leader_that_is_killed_while_documents_become_visible_goes_on(
    version: ModelRegistry, source: Path, start: Start
) -> None:
    """Nothing is logged twice or left out, whatever part had become visible."""
    process = start(*_run(source))
    until(lambda: rows("SELECT 1 FROM shard_change LIMIT 1"))
    process.kill()
    process.communicate()
    job = BulkJob.objects.get()
    assert ended(start("resume", job.pk))[0] in (1, 3)  # it may have been done
    _check_loaded(version)


def test_a_pause_ends_the_process_and_the_job_goes_on_later(version: ModelRegistry, source: Path, start: Start) -> None:
    process = start(*_run(source))
    job = until(_loading)
    want(job, BulkWish.PAUSE, "tests")
    assert ended(process)[0] == 4
    loaded = BulkBucket.objects.count()
    assert 0 < loaded < ROWS // BUCKET_ROWS
    assert "pause wanted" in ended(start("list"))[1]
    assert ended(start("resume", job.pk))[0] == 3
    _check_loaded(version)


def test_a_pause_is_asked_for_by_the_command(version: ModelRegistry, source: Path, start: Start) -> None:
    job = new_job(source)
    assert ended(start("pause", job.pk, program=("manage.py", "bulk_ingest")))[0] == 0
    job.refresh_from_db()
    assert job.wanted == "pause"


def test_an_abort_removes_what_was_loaded_and_keeps_what_clients_changed(
    version: ModelRegistry, source: Path, start: Start
) -> None:
    upsert_rows([source_row("online")])
    process = start(*_run(source))
    job = until(_loading)
    want(job, BulkWish.PAUSE, "tests")
    ended(process)
    ((changed,),) = rows("SELECT doc_id FROM document WHERE id >= 1099511627776 ORDER BY id LIMIT 1")
    upsert_rows([source_row(changed, "changed")])
    code, _, err = ended(start("abort", job.pk))
    assert code == 0, err
    assert rows("SELECT doc_id FROM document ORDER BY 1") == [(changed,), ("online",)]
    assert rows("SELECT count(*) FROM embedding_record") == rows("SELECT count(*) FROM embedding_vector") == [(2,)]
    assert len(seen_by_nodes(version.pk)) == 2
    job.refresh_from_db()
    assert job.state == "aborted"
    assert ended(start("resume", job.pk))[0] == 1


def test_a_job_with_too_many_rejects_fails_and_can_be_aborted(
    version: ModelRegistry, source: Path, start: Start
) -> None:
    code, _, err = ended(start(*_run(source, "--max-rejects", "49")))
    assert (code, "more than 49 rows are rejected" in err) == (1, True)
    job = BulkJob.objects.get()
    assert job.state == "failed"
    assert ended(start(*_run(source)))[0] == 1  # one open job a namespace
    assert ended(start("abort", job.pk))[0] == 0
    assert rows("SELECT 1 FROM document") == []


def _append(path: Path) -> None:
    with path.open("a", encoding="utf-8") as file:
        file.write("\n")


def _replace(path: Path) -> None:
    """By another of the same size."""
    path.with_suffix(".new").write_bytes(path.read_bytes())
    path.with_suffix(".new").replace(path)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (_append, "changed since the job was planned"),
        (_replace, "changed since the job was planned"),
        (Path.unlink, ""),
    ],
)
def test_an_input_that_changes_between_plan_and_read_fails_the_job_before_it_loads(
    version: ModelRegistry, source: Path, start: Start, change: Callable[[Path], None], said: str
) -> None:
    code, out, err = ended(start("make", *_run(source)[1:]))
    assert code == 0, err
    change(source / "b.jsonl")
    code, _, err = ended(start("resume", out.strip()))
    assert (code, "b.jsonl" in err, said in err, "Traceback" in err) == (1, True, True, False), err
    assert BulkJob.objects.get().state == "failed"
    assert rows("SELECT 1 FROM document UNION ALL SELECT 1 FROM bulk_bucket") == []


def test_connections_that_break_end_the_process_and_the_job_goes_on(
    version: ModelRegistry, source: Path, start: Start
) -> None:
    own = [pid for (pid,) in rows("SELECT pid FROM pg_stat_activity")]
    process = start(*_run(source))
    job = until(_loading)
    rows("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND "
         "pid <> ALL(%s) AND pid <> pg_backend_pid()", own)  # fmt: skip
    code, _, err = ended(process)
    assert (code, "the database failed" in err, "Traceback" in err) == (1, True, False), err
    assert ended(start("resume", job.pk))[0] == 3
    _check_loaded(version)


def test_after_a_restore_a_job_can_only_be_aborted(version: ModelRegistry, source: Path, start: Start) -> None:
    process = start(*_run(source))
    job = until(_loading)
    want(job, BulkWish.PAUSE, "tests")
    ended(process)
    renew_epoch()
    code, _, err = ended(start("resume", job.pk))
    assert (code, "epoch_changed" in err) == (1, True)
    assert ended(start("abort", job.pk))[0] == 0
    assert rows("SELECT 1 FROM document UNION ALL SELECT 1 FROM embedding_record") == []


def test_after_a_restore_a_job_some_of_whose_documents_are_visible_goes_on(
    version: ModelRegistry, start: Start
) -> None:
    job = made_job(SPACE, MODEL)
    loaded(job, [f"doc/{number}" for number in range(9)])
    BulkJob.objects.filter(pk=job.pk).update(state=BulkState.REGISTERING)
    registering.open_part(job.pk, 4)
    renew_epoch()
    assert len(seen_by_nodes(version.pk)) == 4
    code, _, err = ended(start("resume", job.pk))
    assert (code, err.count("Traceback")) == (0, 0), err
    job.refresh_from_db()
    assert (job.state, len(seen_by_nodes(version.pk))) == (BulkState.DONE, 9)


def test_one_process_at_a_time_leads_a_job(version: ModelRegistry, source: Path) -> None:
    job = new_job(source)
    assert bulk_jobs.take_lease(job.pk, "one", 60.0)
    assert bulk_jobs.take_lease(job.pk, "one", 60.0)
    assert not bulk_jobs.take_lease(job.pk, "other", 60.0)
    bulk_jobs.give_back(job.pk, "other")
    assert bulk_jobs.has_worker(job.pk)
    rows("UPDATE bulk_job SET lease_until = now() - interval '1 second' RETURNING 1")
    assert bulk_jobs.take_lease(job.pk, "other", 60.0)
    assert not bulk_jobs.take_lease(job.pk, "one", 60.0)
    bulk_jobs.give_back(job.pk, "other")
    assert not bulk_jobs.has_worker(job.pk)


def test_a_plan_writes_nothing(version: ModelRegistry, source: Path, start: Start) -> None:
    options = ("--namespace", "another", "--model-id", MODEL)
    code, out, _ = ended(start("plan", source, *options))
    assert (code, out.splitlines()[0]) == (0, f"2 files, about {ROWS + 150:,} rows, 1 buckets, dimension 8")
    assert rows("SELECT 1 FROM bulk_job UNION ALL SELECT 1 FROM namespace") == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("run", "/nothing/here", "--namespace", "x", "--model-id", MODEL), "no such file"),
        (("run", "/nothing/here", "--namespace", "BAD", "--model-id", MODEL), "must match"),
        (("run", "/nothing/here", "--namespace", "x", "--vector-column", "v"), "embeds texts"),
        (("run", "/nothing/here", "--namespace", "x", "--model-id", "none"), "no model"),
        (("show", "12345"), "no bulk job 12345"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(
    version: ModelRegistry, start: Start, arguments: tuple[str, ...], said: str
) -> None:
    code, _, err = ended(start(*arguments))
    assert code == 1
    assert said in err
    assert len(err.splitlines()) == 1
