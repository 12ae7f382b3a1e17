"""A namespace takes one bulk job at a time. Who is refused reads which job is in the way, and what ends it."""

from collections.abc import Iterator

import pytest

from embedding_project.contracts.errors import ServiceError
from embeddings_app.models import BulkJob, BulkState, Namespace
from embeddings_app.services.bulk.jobs import FoundFiles, NewJob, PlannedFile, make_job, plan_queued

pytestmark = pytest.mark.usefixtures("database")
FILE = PlannedFile(path="/data/a.jsonl", size=1, modified_ns=1)


@pytest.fixture(autouse=True)
def _no_jobs() -> Iterator[None]:
    yield
    BulkJob.objects.all().delete()


def job(*files: PlannedFile) -> BulkJob:
    """One with files is a job of the command, one without of the API."""
    new = NewJob(namespace="taken", model_id=None, files=files, splitters=(), options={})
    return make_job(new, "tests")


def found(waiting: BulkJob) -> None:
    plan_queued(waiting, FoundFiles(files=(FILE,), splitters=(), options={}, plan={}), ends=False)


def refusal(*files: PlannedFile) -> str:
    with pytest.raises(ServiceError) as caught:
        job(*files)
    assert caught.value.code == "illegal_step"
    return caught.value.message


def test_a_failed_job_is_named_with_the_commands_that_end_it() -> None:
    failed = job(FILE)
    BulkJob.objects.filter(pk=failed.pk).update(state=BulkState.FAILED)
    assert refusal(FILE) == (
        f"one job at a time loads into namespace 'taken'; bulk job {failed.pk} has failed, and is open: "
        f"'manage.py bulk_ingest resume {failed.pk}', or end it with "
        f"'manage.py bulk_ingest abort {failed.pk}' or POST /v1/imports/{failed.pk}/abort"
    )


def test_a_job_under_way_is_waited_for_or_ended() -> None:
    under_way = job(FILE)
    assert f"bulk job {under_way.pk} is planned: wait for its end, or end it with" in refusal(FILE)


def test_an_import_whose_files_were_not_found_is_named_too() -> None:
    Namespace.objects.filter(name="taken").delete()
    waiting = job()
    BulkJob.objects.filter(pk=waiting.pk).update(state=BulkState.FAILED)
    assert f"bulk job {waiting.pk} has failed" in refusal()


def test_a_queued_import_that_comes_too_late_names_the_other() -> None:
    Namespace.objects.filter(name="taken").delete()
    waiting = job()
    other = job(FILE)
    with pytest.raises(ServiceError, match=f"bulk job {other.pk} is planned"):
        found(waiting)
