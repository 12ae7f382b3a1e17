"""What operators see of bulk jobs: the newest first, each with how far it is."""

import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from embeddings_app.models import BulkBucket, BulkFile, BulkJob, BulkState, ModelRegistry, Namespace
from embeddings_app.records import bulk_blocks, bulk_jobs
from embeddings_app.services.bulk.jobs import move
from embeddings_app.services.operating.activity import newest_bulk_jobs
from tests.integration.bulk_steps import made_job


@pytest.mark.usefixtures("database")
def test_bulk_jobs_are_shown_with_how_far_they_are() -> None:
    version = ModelRegistry.objects.all()[0]

    def make(name: str, state: BulkState) -> BulkJob:
        space = Namespace.objects.create(name=name, model_id=version.model_id)
        common = {"namespace": space, "model_version": version, "epoch": uuid.uuid4(), "actor": "test"}
        return BulkJob.objects.create(**common, state=state)

    done = make("activity-done", BulkState.DONE)
    BulkJob.objects.filter(pk=done.pk).update(ended_at=timezone.now() + timedelta(seconds=1))
    planned = make("activity-planned", BulkState.PLANNED)
    for number, is_spread in enumerate((True, False)):
        BulkFile.objects.create(
            job=planned,
            number=number,
            path=f"/f/{number}",
            size=100,
            modified_ns=1,
            rows=10,
            spread=[] if is_spread else None,
        )
    newest, before = newest_bulk_jobs(())[:2]
    assert (newest.namespace, newest.state, newest.stage, newest.share) == (
        "activity-planned", "planned", "spreading", 0.5,
    )  # fmt: skip
    assert (newest.rows_read, newest.rows_per_second, newest.ended_at) == (20, None, None)
    assert (before.namespace, before.stage, before.share) == ("activity-done", "done", 1.0)
    assert before.ended_at is not None
    assert [one.namespace for one in newest_bulk_jobs({"activity-done", "other"})] == ["activity-done"]


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize(
    ("state", "share"),
    [
        (BulkState.QUEUED, 0.0),
        (BulkState.ABORTING, 0.0),
        (BulkState.DONE, 1.0),
        (BulkState.ABORTED, 1.0),
    ],
)
def test_only_what_has_ended_is_done(state: BulkState, share: float) -> None:
    made = made_job()
    BulkJob.objects.filter(pk=made.pk).update(state=state)
    assert newest_bulk_jobs(())[0].share == share


@pytest.mark.usefixtures("database")
def test_a_job_that_failed_is_as_far_as_it_came() -> None:
    job = made_job()
    BulkJob.objects.filter(pk=job.pk).update(state=BulkState.FAILED)
    assert (newest_bulk_jobs(())[0].stage, newest_bulk_jobs(())[0].share) == ("failed", 0.0)
    for number in range(4):
        spread: Any = [] if number else None
        BulkFile.objects.create(job=job, number=number, path="/f", size=1, modified_ns=1, rows=5, spread=spread)
    assert newest_bulk_jobs(())[0].share == 0.75
    bulk_blocks.reserve(job.pk, job.model_version_id, 10)
    BulkJob.objects.filter(pk=job.pk).update(splitters=["m"])
    BulkBucket.objects.create(job=job, number=0, inserted=10)
    assert newest_bulk_jobs(())[0].share == 0.5


@pytest.mark.usefixtures("database")
def test_a_job_moves_with_the_rows_of_tasks_that_have_not_ended() -> None:
    job = made_job()
    BulkJob.objects.filter(pk=job.pk).update(options={"rows": 100})
    for number in range(2):
        BulkFile.objects.create(job=job, number=number, path="/f", size=1, modified_ns=1, rows=50, spread=None)
    bulk_jobs.tell_under_way(job.pk, 25, 10.0)
    assert newest_bulk_jobs(())[0].share == 0.25
    job.refresh_from_db()
    move(job, BulkState.LOADING)
    assert (newest_bulk_jobs(())[0].share, newest_bulk_jobs(())[0].seconds_left) == (0.0, None)
    bulk_jobs.tell_under_way(job.pk, 40, 20.0)
    (found, *_) = newest_bulk_jobs(())
    assert (found.share, found.rows_per_second, found.seconds_left) == (0.4, 20.0, 3.0)


@pytest.mark.usefixtures("database")
def test_nothing_of_a_job_is_under_way_when_nobody_works_on_it() -> None:
    job = made_job()
    BulkFile.objects.create(job=job, number=0, path="/f", size=1, modified_ns=1, rows=100, spread=None)
    move(job, BulkState.LOADING)
    assert bulk_jobs.take_lease(job.pk, "one", 60.0)
    bulk_jobs.tell_under_way(job.pk, 25, 10.0)
    bulk_jobs.give_back(job.pk, "another")
    assert newest_bulk_jobs(())[0].rows_per_second == 10.0
    bulk_jobs.give_back(job.pk, "one")
    (found, *_) = newest_bulk_jobs(())
    assert (found.share, found.rows_per_second, found.seconds_left) == (0.0, None, None)
