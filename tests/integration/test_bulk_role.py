"""The role that works on imports: a job that cannot be worked on holds up no other."""

from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any, cast

import pytest
from django.db.utils import DataError

from bulk_ingest.engines.base import Engine, GoOn
from bulk_ingest.job import Leader
from bulk_ingest.role import work_on_imports
from bulk_ingest.tasks import BucketTask, SpreadTask
from embeddings_app.models import BulkJob, BulkState, BulkWish
from embeddings_app.records import bulk_jobs
from tests.integration.bulk_steps import loaded, made_job, open_block


class Leading:
    """Ends every job but one, at which something fails."""

    def __init__(self, bad: int, failure: Exception) -> None:
        self.led: list[int] = []
        self._bad = bad
        self._failure = failure

    def lead(self, key: int) -> BulkJob:
        self.led.append(key)
        if key == self._bad:
            raise self._failure
        BulkJob.objects.filter(pk=key).update(state=BulkState.DONE)
        return BulkJob.objects.get(pk=key)


class FaultyEngine:
    """Has a fault of its own."""

    def spread(self, _tasks: Sequence[SpreadTask], _go_on: GoOn) -> Iterator[bool]:
        raise KeyError("of the program")

    def fill(self, _files: Sequence[SpreadTask], _tasks: Sequence[BucketTask], _go_on: GoOn) -> Iterator[bool]:
        raise KeyError("of the program")


def led_with(engine: Engine, folder: Path, led: list[int]) -> Leader:
    class Noted(Leader):
        def lead(self, job_key: int) -> BulkJob:
            led.append(job_key)
            return super().lead(job_key)

    return Noted("tests", folder, nullcontext(engine))


@pytest.fixture
def jobs(database: str) -> Iterator[list[int]]:
    made = [made_job(namespace) for namespace in ("first", "second")]
    BulkJob.objects.update(by_role=True)
    yield [job.pk for job in made]
    BulkJob.objects.all().delete()


@pytest.mark.parametrize("failure", [DataError("of the rows"), RuntimeError("of the program")])
def test_a_job_that_cannot_be_worked_on_rests_while_others_are(jobs: list[int], failure: Exception) -> None:
    leading, looks = Leading(jobs[0], failure), iter([True, True, False])
    work_on_imports(lambda: cast(Leader, leading), lambda: next(looks))
    assert leading.led == jobs


def test_a_job_has_failed_after_a_fault_that_nobody_foresaw(jobs: list[int], tmp_path: Path) -> None:
    led, looks = list[int](), iter([True, True, False])
    work_on_imports(lambda: led_with(FaultyEngine(), tmp_path, led), lambda: next(looks))
    failed = BulkJob.objects.filter(state=BulkState.FAILED).order_by("pk")
    assert (led, [job.pk for job in failed]) == (jobs, jobs)
    assert {job.error for job in failed} == {"internal_error: KeyError, see the log of the process"}


def test_an_abort_that_came_too_late_keeps_no_other_job_waiting(jobs: list[int], tmp_path: Path) -> None:
    """Its documents became visible when somebody had just asked for the abort."""
    late = BulkJob.objects.get(pk=jobs[0])
    loaded(late, ["visible"])
    open_block(late)
    BulkJob.objects.filter(pk=late.pk).update(state=BulkState.REGISTERING, wanted=BulkWish.ABORT)
    led, looks = list[int](), iter([True, True, True, False])
    work_on_imports(lambda: led_with(FaultyEngine(), tmp_path, led), lambda: next(looks))
    late.refresh_from_db()
    assert led == jobs
    assert (late.state, late.wanted) == (BulkState.FAILED, BulkWish.ABORT)


def test_jobs_that_rest_are_not_the_next(jobs: list[int]) -> None:
    found: list[Any] = [bulk_jobs.next_for_role(), bulk_jobs.next_for_role(jobs[:1]), bulk_jobs.next_for_role(jobs)]
    assert found == [*jobs, None]
