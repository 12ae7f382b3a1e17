"""The role that works on imports: a job that the database does not stand holds up no other."""

from collections.abc import Iterator
from typing import Any, cast

import pytest
from django.db.utils import DataError

from bulk_ingest.job import Leader
from bulk_ingest.role import work_on_imports
from embeddings_app.models import BulkJob, BulkState
from embeddings_app.records import bulk_jobs
from tests.integration.bulk_steps import made_job


class Leading:
    """Ends every job but one, at which the database fails."""

    def __init__(self, bad: int) -> None:
        self.led: list[int] = []
        self._bad = bad

    def lead(self, key: int) -> BulkJob:
        self.led.append(key)
        if key == self._bad:
            raise DataError("of the rows")
        BulkJob.objects.filter(pk=key).update(state=BulkState.DONE)
        return BulkJob.objects.get(pk=key)


@pytest.fixture
def jobs(database: str) -> Iterator[list[int]]:
    made = [made_job(namespace) for namespace in ("first", "second")]
    BulkJob.objects.update(by_role=True)
    yield [job.pk for job in made]
    BulkJob.objects.all().delete()


def test_a_job_that_the_database_does_not_stand_rests_while_others_are_worked_on(jobs: list[int]) -> None:
    leading, looks = Leading(jobs[0]), iter([True, True, False])
    work_on_imports(lambda: cast(Leader, leading), lambda: next(looks))
    assert leading.led == jobs


def test_jobs_that_rest_are_not_the_next(jobs: list[int]) -> None:
    found: list[Any] = [bulk_jobs.next_for_role(), bulk_jobs.next_for_role(jobs[:1]), bulk_jobs.next_for_role(jobs)]
    assert found == [*jobs, None]
