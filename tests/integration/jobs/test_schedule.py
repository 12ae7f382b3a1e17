"""The schedule is seeded once and then the operator's, within the bounds of each job."""

import html
from collections.abc import Iterator
from typing import Any, cast

import pytest
from django.contrib.auth import get_user_model
from django.test import Client
from django_celery_beat.models import PeriodicTask
from redis import Redis

from embedding_project.contracts.queues import INDEX_QUEUE
from embeddings_app.services.jobs.retention import RETENTION
from embeddings_app.services.jobs.running import run_job
from embeddings_app.services.jobs.schedule import ScheduleRefused, change_schedule, seed_schedule
from embeddings_app.services.jobs.sweep import SWEEP
from embeddings_app.services.jobs.table import JOBS
from embeddings_app.services.jobs.trim import TRIM
from tests.integration.indexing_steps import rows

pytestmark = pytest.mark.usefixtures("database")
LIST = "/admin/django_celery_beat/periodictask/"


@pytest.fixture(autouse=True)
def seeded() -> Iterator[None]:
    PeriodicTask.objects.all().delete()
    seed_schedule()
    yield
    PeriodicTask.objects.all().delete()
    seed_schedule()


@pytest.fixture
def admin() -> Client:
    user, _ = get_user_model().objects.get_or_create(username="operator", is_staff=True, is_superuser=True)
    client = Client(SERVER_NAME="127.0.0.1")
    client.force_login(user, backend="embeddings_app.admin.login_limit.Passwords")
    return client


def entry(name: str) -> tuple[str, int, bool, int]:
    found = PeriodicTask.objects.select_related("interval").get(name=name)
    return found.task, found.interval.every, found.enabled, found.expire_seconds


def page_of(name: str) -> str:
    return f"{LIST}{PeriodicTask.objects.get(name=name).pk}/change/"


def save(admin: Client, name: str, values: dict[str, Any]) -> str:
    return html.unescape(admin.post(page_of(name), values, follow=True).content.decode())


def test_every_job_is_in_the_schedule_and_nothing_else() -> None:
    PeriodicTask.objects.filter(name="trim").update(name="celery.backend_cleanup")
    seed_schedule()
    assert {name: entry(name) for name in JOBS} == {
        name: (job.task, job.every_seconds, True, job.every_seconds) for name, job in JOBS.items()
    }
    assert PeriodicTask.objects.count() == len(JOBS)


def test_what_an_operator_chose_stays_when_the_service_starts_again() -> None:
    change_schedule(TRIM, 600, "test", enabled=True)
    before = rows("SELECT last_update FROM django_celery_beat_periodictasks")
    seed_schedule()
    assert entry("trim")[1:] == (600, True, 600)
    assert rows("SELECT last_update FROM django_celery_beat_periodictasks") == before


def test_a_row_of_an_earlier_version_gets_the_task_of_this_one_and_keeps_its_interval() -> None:
    change_schedule(TRIM, 600, "test", enabled=True)
    PeriodicTask.objects.filter(name="trim").update(task="embeddings_app.trim_logs", expire_seconds=None)
    seed_schedule()
    assert entry("trim") == (TRIM.task, 600, True, 600)


@pytest.mark.parametrize(
    ("every", "enabled", "field"), [(3, False, "enabled"), (6, True, "every_seconds"), (0, True, "every_seconds")]
)
def test_a_job_that_keeps_the_service_going_cannot_be_stopped(every: int, enabled: bool, field: str) -> None:
    with pytest.raises(ScheduleRefused) as refused:
        change_schedule(SWEEP, every, "test", enabled=enabled)
    assert refused.value.field == field
    assert entry("sweep")[1:] == (3, True, 3)


def test_a_change_is_audited_and_leaves_no_unused_interval() -> None:
    for every in (61, 62, 63):
        change_schedule(TRIM, every, "admin:somebody", enabled=True)
    ((actor, detail),) = rows(
        "SELECT actor, detail::text FROM audit_event WHERE action = 'job.scheduled' ORDER BY id DESC LIMIT 1"
    )
    assert (actor, detail) == ("admin:somebody", '{"enabled": true, "every_seconds": 63}')
    assert rows("SELECT every FROM django_celery_beat_intervalschedule WHERE every IN (61, 62)") == []


def test_the_page_shows_the_last_run_and_the_next(admin: Client) -> None:
    run_job(TRIM)
    shown = admin.get(LIST).content.decode()
    assert "entries: 0, tombstones: 0" in shown
    assert "s ago, took " in shown
    assert "never" in shown
    assert "in 1 h" in shown or "in 60 min" in shown
    assert admin.get(page_of("trim")).status_code == 200
    runs = admin.get("/admin/embeddings_app/jobrun/?job=trim").content.decode()
    assert "entries: 0, tombstones: 0" in runs
    assert "entries: 0" not in admin.get("/admin/embeddings_app/jobrun/?job=sweep").content.decode()


def test_an_operator_changes_the_interval_in_the_admin(admin: Client) -> None:
    assert "5 to 3,600 seconds" in admin.get(page_of("trim")).content.decode()
    save(admin, "trim", {"every_seconds": "120", "enabled": "on"})
    assert entry("trim")[1:] == (120, True, 120)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"every_seconds": "2", "enabled": "on"}, "Choose 5 to 3,600 seconds."),
        ({"every_seconds": "", "enabled": "on"}, "This field is required."),
        ({"every_seconds": "soon", "enabled": "on"}, "Enter a whole number."),
        ({"every_seconds": "60"}, "The service needs the job trim: it cannot be switched off."),
    ],
)
def test_the_form_says_what_is_wrong(admin: Client, values: dict[str, Any], said: str) -> None:
    assert said in save(admin, "trim", values)
    assert entry("trim")[1:] == (60, True, 60)


def test_a_job_is_run_now_from_the_list_and_from_its_page(admin: Client, redis: Redis) -> None:
    chosen = {"action": "run_selected", "_selected_action": [PeriodicTask.objects.get(name="trim").pk]}
    assert "trim was sent" in admin.post(LIST, chosen, follow=True).content.decode()
    run = f"{LIST}{PeriodicTask.objects.get(name='retention').pk}/run/"
    assert admin.get(run).status_code == 200
    admin.post(run, {"_form_submitted": "True"})
    sent = cast(list[bytes], redis.lrange(INDEX_QUEUE, 0, -1))
    assert [TRIM.task.encode() in sent[1], RETENTION.task.encode() in sent[0], len(sent)] == [True, True, 2]


def test_nobody_adds_or_deletes_jobs(admin: Client) -> None:
    assert admin.get(f"{LIST}add/").status_code == 403
    assert admin.post(page_of("trim").replace("change", "delete"), {"post": "yes"}).status_code == 403
