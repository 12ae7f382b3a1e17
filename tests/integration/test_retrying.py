"""Quarantined records get another try: reset, due at once, recorded in the audit log."""

import pytest
from django.db import connection

from embeddings_app.models import AuditEvent, EmbeddingRecord, ModelRegistry
from embeddings_app.services.indexing.retrying import retry_all_quarantined, retry_quarantined
from tests.integration import indexing_steps as steps

ACTOR = "admin:tester"


@pytest.fixture
def quarantined(database: str) -> list[int]:
    """Three quarantined records, and a fourth that is ready."""
    AuditEvent.objects.all().delete()
    steps.put(("a", "one"), ("b", "two"), ("c", "three"), ("d", "four"))
    steps.index()
    with connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE embedding_record r SET
                state = 'quarantined', attempts = 3, batch_limit = 1, last_error = 'model_error',
                next_attempt_at = now() + interval '1 hour'
            FROM document d WHERE d.id = r.document_id AND d.doc_id <> 'd'
            """
        )
    return list(EmbeddingRecord.objects.filter(state="quarantined").order_by("pk").values_list("pk", flat=True))


def test_a_retried_record_is_work_as_if_it_had_never_failed(quarantined: list[int]) -> None:
    assert retry_quarantined(quarantined[:1], ACTOR) == 1
    assert steps.record("a") == ("pending", 1, 0, 64)
    assert steps.record("b") == ("quarantined", 1, 3, 1)
    steps.index()
    assert steps.record("a")[0] == "ready"


def test_only_quarantined_records_are_retried(quarantined: list[int]) -> None:
    everything = list(EmbeddingRecord.objects.values_list("pk", flat=True))
    assert retry_quarantined(everything, ACTOR) == 3
    assert steps.record("d") == ("ready", 1, 0, 64)
    assert retry_quarantined(everything, ACTOR) == 0


def test_all_of_a_version_are_retried(quarantined: list[int]) -> None:
    version = ModelRegistry.objects.get(model_id="all-MiniLM-L6-v2")
    assert retry_all_quarantined(version, ACTOR) == 3
    steps.index()
    assert {steps.record(name)[0] for name in "abc"} == {"ready"}


def test_a_record_without_a_text_stays_quarantined(quarantined: list[int]) -> None:
    with connection.cursor() as cursor:
        cursor.execute("UPDATE document SET text = '' WHERE doc_id = 'b'")
    version = ModelRegistry.objects.get(model_id="all-MiniLM-L6-v2")
    assert retry_quarantined(quarantined[:2], ACTOR) == 1
    assert retry_all_quarantined(version, ACTOR) == 1
    assert steps.record("b")[0] == "quarantined"


def test_a_retry_is_in_the_audit_log_and_nothing_is_when_nothing_was_retried(quarantined: list[int]) -> None:
    version = ModelRegistry.objects.get(model_id="all-MiniLM-L6-v2")
    retry_quarantined(quarantined[:2], ACTOR)
    retry_all_quarantined(version, ACTOR)
    retry_quarantined(quarantined, ACTOR)
    retry_all_quarantined(version, ACTOR)
    events = AuditEvent.objects.order_by("id").values_list("actor", "action", "subject", "detail")
    assert list(events) == [
        (ACTOR, "record.retried", str(version), {"records": 2}),
        (ACTOR, "record.retried", str(version), {"records": "all"}),
    ]
