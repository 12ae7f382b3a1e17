"""The frame of periodic jobs: one run at a time over all processes, and an end for every run that began."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest

import embeddings_app.tasks  # noqa: F401
from embedding_project.celery import job_app
from embedding_project.contracts.errors import Unavailable
from embeddings_app.records import leases
from embeddings_app.records.jobs import last_runs, progress_of, prune_runs
from embeddings_app.services.jobs.job import Done, Job, Run
from embeddings_app.services.jobs.running import run_job
from embeddings_app.services.jobs.table import JOBS
from tests.conftest import ROOT
from tests.integration.indexing_steps import in_thread, rows

pytestmark = pytest.mark.usefixtures("database")


def job(work: Callable[[Run], Done] = lambda run: Done(), **changes: Any) -> Job:
    made = Job(
        name="tested",
        purpose="Is tested.",
        work=work,
        every_seconds=10,
        at_least_seconds=5,
        at_most_seconds=60,
        run_seconds=1.0,
    )
    return replace(made, **changes)


def history() -> list[tuple[Any, ...]]:
    return rows("SELECT outcome, error, result::text FROM job_run ORDER BY id")


def let_lease_end() -> None:
    rows("UPDATE lease SET lease_until = now() - interval '1 second' RETURNING 1")


def test_a_run_is_written_down_with_its_result() -> None:
    assert run_job(job(lambda run: Done(result={"found": 3})))
    assert history() == [("ok", "", '{"found": 3}')]
    (last,) = last_runs()
    assert (last.job, last.outcome, last.last_ok_at) == ("tested", "ok", last.ended_at)
    assert rows("SELECT holder FROM lease") == [("",)]


def test_a_run_goes_on_where_the_last_one_stopped() -> None:
    seen: list[Any] = []

    def work(run: Run) -> Done:
        seen.append(run.progress.get("after"))
        return Done(progress={"after": len(seen)})

    for _ in range(3):
        run_job(job(work))
    assert seen == [None, 1, 2]


def test_a_run_that_fails_keeps_its_place_and_says_why() -> None:
    def refused(run: Run) -> Done:
        raise Unavailable("broker_unavailable")

    def broken(run: Run) -> Done:
        raise KeyError("a text of somebody")

    run_job(job(lambda run: Done(progress={"after": 7})))
    assert run_job(job(refused))
    assert run_job(job(broken))
    assert history()[1:] == [("failed", "broker_unavailable", "{}"), ("failed", "KeyError", "{}")]
    assert progress_of("tested") == {"after": 7}
    (last,) = last_runs()
    assert last.outcome == "failed"
    assert last.last_ok_at is not None
    assert last.last_ok_at < last.ended_at


def test_a_run_that_went_on_beside_what_failed_has_failed_and_keeps_its_new_place() -> None:
    assert run_job(job(lambda run: Done(result={"done": 2}, progress={"after": 7}, problem="busy")))
    assert history() == [("failed", "busy", '{"done": 2}')]
    assert progress_of("tested") == {"after": 7}


def test_a_second_run_does_not_begin_while_one_is_under_way() -> None:
    inner: list[bool] = []
    assert run_job(job(lambda run: (inner.append(run_job(job())), Done())[1]))
    assert inner == [False]
    assert len(history()) == 1


def test_a_run_whose_lease_ran_out_is_noted_by_the_next_and_cannot_speak_any_more() -> None:
    def overtaken(run: Run) -> Done:
        let_lease_end()
        assert run_job(job(lambda run: Done(result={"second": 1})))
        return Done(result={"first": 1})

    assert not run_job(job(overtaken))
    assert history() == [("abandoned", "abandoned", "{}"), ("ok", "", '{"second": 1}')]
    (last,) = last_runs()
    assert last.outcome == "ok"


def test_frequent_jobs_keep_only_what_went_wrong() -> None:
    outcomes: list[Done | Unavailable] = [Done(), Unavailable("broker_unavailable"), Done()]

    def work(run: Run) -> Done:
        outcome = outcomes.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    for _ in range(3):
        run_job(job(work, keeps_every_run=False))
    assert [outcome for outcome, _, _ in history()] == ["failed"]


def test_the_history_is_bounded_and_what_failed_is_kept_beside_what_went_well() -> None:
    def fails(run: Run) -> Done:
        raise Unavailable("broker_unavailable")

    run_job(job(fails))
    for _ in range(6):
        run_job(job())
        run_job(job(name="other"))
    assert prune_runs(2) == 8
    assert rows("SELECT job, outcome, count(*) FROM job_run GROUP BY 1, 2 ORDER BY 1, 2") == [
        ("other", "ok", 2),
        ("tested", "failed", 1),
        ("tested", "ok", 2),
    ]


_HANGS = """
import django
django.setup()
from embeddings_app.services.jobs.job import Done
from embeddings_app.services.jobs.running import run_job
from tests.integration.jobs.test_running import job
import time
run_job(job(lambda run: (print("begun", flush=True), time.sleep(600), Done())[2]))
"""


def test_a_job_whose_process_is_killed_is_free_again_after_a_bounded_time() -> None:
    with subprocess.Popen([sys.executable, "-c", _HANGS], cwd=ROOT, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "begun\n"
        os.kill(child.pid, signal.SIGKILL)
    killed_at = time.monotonic()
    assert not run_job(job())
    while not run_job(job(run_seconds=0.0)):
        assert time.monotonic() - killed_at < 60.0
        time.sleep(0.1)
    assert [outcome for outcome, _, _ in history()] == ["abandoned", "ok"]


def test_a_lease_is_renewed_by_its_holder_and_refused_to_others() -> None:
    first = leases.take("right", "a", 30.0)
    assert first is not None
    assert leases.take("right", "b", 30.0) is None
    assert leases.take("right", "a", 30.0) == first
    leases.give_back("right", "b")
    assert leases.take("right", "b", 30.0) is None
    leases.give_back("right", "a")
    assert leases.take("right", "b", 30.0) is not None


@pytest.mark.parametrize("state", ["new", "free", "run out"])
def test_of_many_that_want_a_lease_at_once_one_gets_it(state: str) -> None:
    if state != "new":
        leases.take("right", "before", 30.0)
        leases.give_back("right", "before") if state == "free" else let_lease_end()
    with ThreadPoolExecutor(8) as pool:
        wanted = [pool.submit(in_thread, leases.take, "right", f"holder {number}", 30.0) for number in range(8)]
    taken = [one for one in (each.result() for each in wanted) if one is not None]
    assert [one.left.holder if one.left else None for one in taken] == ["before" if state == "run out" else None]


@pytest.mark.parametrize("name", JOBS)
def test_every_job_of_the_table_is_a_task_that_runs(name: str) -> None:
    job_app.tasks[JOBS[name].task]()
    (last,) = last_runs()
    assert (last.job, last.outcome) == (name, "ok")


@pytest.mark.parametrize("name", JOBS)
def test_the_table_allows_its_own_intervals(name: str) -> None:
    entry = JOBS[name]
    assert entry.at_least_seconds <= entry.every_seconds <= entry.at_most_seconds
