"""Bulk jobs in the admin: seen by all, steered by operators, rejects as a table without texts."""

import csv
import io
from collections.abc import Iterator
from pathlib import Path

import pytest

from embeddings_app.models import AuditEvent, BulkBucket, BulkFile, BulkJob, BulkState, BulkWish
from embeddings_app.services.access.roles import Role, install_roles
from tests.integration.bulk_loads import external_model, new_job, source_row, write_lines
from tests.integration.test_admin_roles import client_of

PAGE = "/admin/embeddings_app/bulkjob/"
REJECTS = [
    {"file": "/data/a.jsonl", "row": 3, "doc_id": "=1+1", "field": "text", "code": "empty_input"},
    {"file": "/data/a.jsonl", "row": 4, "doc_id": None, "field": "id", "code": "missing_field"},
    *(
        {"file": "a", "row": 5, "doc_id": doc_id, "field": "text", "code": "empty_input"}
        for doc_id in ("\t=1+1", "\rx", "\n=1", "  +1", "\x01@a", "\uff1d1", "plain - text", "a=1")
    ),
]


@pytest.fixture
def job(database: str, tmp_path: Path) -> Iterator[BulkJob]:
    install_roles()
    with external_model():
        made = new_job(write_lines(tmp_path / "rows.jsonl", [source_row(f"{number}") for number in range(40)]))
        BulkJob.objects.filter(pk=made.pk).update(
            state=BulkState.LOADING, splitters=["1", "2", "3"], rejects_sample=REJECTS
        )
        BulkFile.objects.filter(job=made).update(rows=40)
        BulkBucket.objects.create(job=made, number=0, inserted=10, seconds=0.5)
        made.refresh_from_db()
        yield made


def test_everybody_sees_how_far_a_job_is(job: BulkJob) -> None:
    client = client_of(Role.VIEWER)
    listed = client.get(PAGE).content.decode()
    assert '<progress max="1" value="0.250"' in listed
    assert "loading" in listed
    shown = client.get(f"{PAGE}{job.pk}/change/").content.decode()
    assert "10 inserted" in shown
    assert "0: 10 rows in 0.5 s, 20 rows / s" in shown


def test_operators_pause_resume_and_abort_and_it_is_kept_who_did(job: BulkJob) -> None:
    client = client_of(Role.OPERATOR)
    for step, wish in (("pause", BulkWish.PAUSE), ("resume", BulkWish.RUN), ("abort", BulkWish.ABORT)):
        assert f"{step.capitalize()} bulk job {job.pk}" in client.get(f"{PAGE}{job.pk}/{step}/").content.decode()
        assert client.post(f"{PAGE}{job.pk}/{step}/").status_code == 302
        job.refresh_from_db()
        assert (job.wanted, job.by_role) == (wish, True)
        assert AuditEvent.objects.latest("pk").action == f"bulk.{wish}"


def test_viewers_steer_nothing(job: BulkJob) -> None:
    assert client_of(Role.VIEWER).post(f"{PAGE}{job.pk}/pause/").status_code in (302, 403)
    job.refresh_from_db()
    assert job.wanted == BulkWish.RUN


def test_rejects_are_downloaded_and_no_program_computes_them(job: BulkJob) -> None:
    answer = client_of(Role.VIEWER).get(f"{PAGE}{job.pk}/rejects/")
    assert answer.headers["Content-Disposition"] == f'attachment; filename="rejects-{job.pk}.csv"'
    first, *rows = csv.reader(io.StringIO(answer.getvalue().decode(), newline=""))
    assert first == ["file", "row", "doc_id", "field", "code"]
    assert rows[:2] == [
        ["/data/a.jsonl", "3", "'=1+1", "text", "empty_input"],
        ["/data/a.jsonl", "4", "", "id", "missing_field"],
    ]
    guarded = ["'\t=1+1", "'\rx", "'\n=1", "'  +1", "'\x01@a", "'\uff1d1", "plain - text", "a=1"]
    assert [row[2] for row in rows[2:]] == guarded
