"""The states of a model version, and the only steps there are between them."""

from collections.abc import Iterator

import psycopg
import pytest
from django.db import IntegrityError, connection

from embedding_project.contracts.errors import ServiceError
from embeddings_app import registry
from embeddings_app.models import AuditEvent, ModelRegistry, ModelStatus, Namespace
from embeddings_app.records.vector_partitions import drop_vector_partition, has_vector_partition
from embeddings_app.services.documents.deleting import delete
from embeddings_app.services.documents.outcomes import DocumentResult
from embeddings_app.services.documents.upserting import upsert
from embeddings_app.services.indexing.trimming import trim_logs
from embeddings_app.services.model_versions.indexes import clear_ended_versions
from embeddings_app.services.model_versions.retiring import retire
from embeddings_app.services.model_versions.steps import STEPS, take_step
from embeddings_app.services.model_versions.switching import switch
from tests.integration.indexing_steps import document, index, request, rows
from tests.integration.reembedding_steps import ACTOR, forget_model, new_model

Versions = tuple[ModelRegistry, ModelRegistry]
PAIRS = [(before, after) for before in ModelStatus for after in ModelStatus if before != after]


@pytest.fixture
def versions(database: str) -> Iterator[Versions]:
    found = new_model()
    yield found
    forget_model(found[0])


@pytest.mark.parametrize(("before", "after"), PAIRS)
def test_code_and_database_allow_the_same_steps(database: str, before: ModelStatus, after: ModelStatus) -> None:
    version = ModelRegistry.objects.create(
        model_id=f"pair-{before}-{after}", type="transformers", artifact="hashing", dimension=8, status=before
    )
    try:
        if after in STEPS[before]:
            take_step(version, after, ACTOR, "because")
            assert ModelRegistry.objects.get(pk=version.pk).status == after
            event = AuditEvent.objects.filter(subject=str(version)).latest("id")
            assert (event.action, event.detail["from"], event.detail["reason"]) == (f"model.{after}", before, "because")
        else:
            with pytest.raises(ServiceError, match=f"is {before} and cannot be {after}") as refusal:
                take_step(version, after, ACTOR)
            assert refusal.value.code == "illegal_step"
            with pytest.raises(IntegrityError, match="cannot go from"):
                ModelRegistry.objects.filter(pk=version.pk).update(status=after)
    finally:
        version.delete()


def test_a_step_from_a_state_that_is_past_is_refused(versions: Versions) -> None:
    _, second = versions
    seen_earlier = ModelRegistry.objects.get(pk=second.pk)
    take_step(second, ModelStatus.DRAFT, ACTOR)
    with pytest.raises(ServiceError, match="is draft"):
        take_step(seen_earlier, ModelStatus.BACKFILLING, ACTOR)


def test_a_model_without_documents_changes_its_version_at_once(versions: Versions) -> None:
    first, second = versions
    assert registry.active_spec(first.model_id).version == 1
    switch(second, ACTOR)
    assert registry.active_spec(first.model_id).version == 2
    first.refresh_from_db()
    assert first.status == ModelStatus.RETIRING
    assert not clear_ended_versions(60.0)
    first.refresh_from_db()
    assert first.status == ModelStatus.RETIRED
    assert not has_vector_partition(first.pk)


def test_a_version_without_vectors_does_not_become_active_over_documents(versions: Versions) -> None:
    first, second = versions
    upsert(request(document("a", "text"), namespace="steps", model_id=first.model_id))
    with pytest.raises(ServiceError, match="start a re-embedding"):
        switch(second, ACTOR)
    assert registry.active_spec(first.model_id).version == 1


def test_the_active_version_cannot_be_retired(versions: Versions) -> None:
    with pytest.raises(ServiceError, match="switch to another version first"):
        retire(versions[0], ACTOR)


def test_retiring_frees_vectors_records_and_log(versions: Versions) -> None:
    first, second = versions
    upsert(request(document("a", "text"), namespace="steps", model_id=first.model_id))
    index()
    ModelRegistry.objects.filter(pk=first.pk).update(status=ModelStatus.STANDBY)
    ModelRegistry.objects.filter(pk=second.pk).update(status=ModelStatus.ACTIVE)
    retire(first, ACTOR)
    assert not clear_ended_versions(60.0)
    for table in ("embedding_record", "embedding_vector", "shard_change"):
        assert rows(f"SELECT count(*) FROM {table} WHERE model_version_id = %s", first.pk) == [(0,)]
    first.refresh_from_db()
    assert first.status == ModelStatus.RETIRED
    assert rows("SELECT count(*) FROM document WHERE NOT deleted") == [(1,)]


def test_records_that_a_claim_holds_are_removed_later(versions: Versions, database: str) -> None:
    first, second = versions
    upsert(request(document("a", "text"), document("b", "text"), namespace="steps", model_id=first.model_id))
    ModelRegistry.objects.filter(pk=first.pk).update(status=ModelStatus.STANDBY)
    ModelRegistry.objects.filter(pk=second.pk).update(status=ModelStatus.ACTIVE)
    retire(first, ACTOR)
    with psycopg.connect(database) as claiming:
        claiming.execute("SELECT 1 FROM embedding_record WHERE model_version_id = %s FOR UPDATE", [first.pk])
        assert clear_ended_versions(60.0)
        first.refresh_from_db()
        assert first.status == ModelStatus.RETIRING
    assert not clear_ended_versions(60.0)
    first.refresh_from_db()
    assert first.status == ModelStatus.RETIRED
    assert rows("SELECT count(*) FROM embedding_record WHERE model_version_id = %s", first.pk) == [(0,)]


def test_a_text_that_only_a_retired_version_still_needed_goes_with_it(versions: Versions) -> None:
    first, second = versions
    Namespace.objects.create(name="unkept", model_id=first.model_id, store_text=False)
    asked = request(document("a", "a text that is not kept"), namespace="unkept", model_id=first.model_id)
    upsert(asked)
    ModelRegistry.objects.filter(pk=first.pk).update(status=ModelStatus.STANDBY)
    ModelRegistry.objects.filter(pk=second.pk).update(status=ModelStatus.ACTIVE)
    assert rows("SELECT text FROM document WHERE NOT deleted") == [("a text that is not kept",)]
    retire(first, ACTOR)
    assert not clear_ended_versions(60.0)
    assert rows("SELECT text FROM document WHERE NOT deleted") == [("",)]


def test_a_version_that_a_claim_holds_keeps_no_other_waiting(versions: Versions, database: str) -> None:
    first, _ = versions
    later, _ = new_model()
    for version in (first, later):
        upsert(request(document("a", "text"), namespace=version.model_id, model_id=version.model_id))
        ModelRegistry.objects.filter(pk=version.pk).update(status=ModelStatus.STANDBY)
        retire(version, ACTOR)
    with psycopg.connect(database) as claiming:
        claiming.execute("SELECT 1 FROM embedding_record WHERE model_version_id = %s FOR UPDATE", [first.pk])
        assert clear_ended_versions(60.0)
    statuses = dict(ModelRegistry.objects.values_list("pk", "status"))
    assert (statuses[first.pk], statuses[later.pk]) == (ModelStatus.RETIRING, ModelStatus.RETIRED)


def test_records_left_of_a_retired_version_are_removed(versions: Versions) -> None:
    first, second = versions
    upsert(request(document("a", "text"), namespace="steps", model_id=first.model_id))
    ModelRegistry.objects.filter(pk=first.pk).update(status=ModelStatus.STANDBY)
    ModelRegistry.objects.filter(pk=second.pk).update(status=ModelStatus.ACTIVE)
    retire(first, ACTOR)
    drop_vector_partition(first.pk)
    ModelRegistry.objects.filter(pk=first.pk).update(status=ModelStatus.RETIRED)
    assert not clear_ended_versions(60.0)
    assert rows("SELECT count(*) FROM embedding_record WHERE model_version_id = %s", first.pk) == [(0,)]


def test_retiring_keeps_young_tombstones_so_that_revisions_go_on_rising(versions: Versions) -> None:
    first, second = versions
    for doc_id in ("deleted", "alive"):
        upsert(request(document(doc_id, "text"), namespace="steps", model_id=first.model_id))
    deleted = delete("steps", "deleted")
    index()
    ModelRegistry.objects.filter(pk=first.pk).update(status=ModelStatus.STANDBY)
    ModelRegistry.objects.filter(pk=second.pk).update(status=ModelStatus.ACTIVE)
    retire(first, ACTOR)
    assert not clear_ended_versions(60.0)
    first.refresh_from_db()
    assert first.status == ModelStatus.RETIRED
    (again,) = upsert(request(document("deleted", "text"), namespace="steps", model_id=first.model_id)).results
    assert isinstance(again, DocumentResult)
    assert again.revision > deleted.revision
    # What still names the tombstone is trimmed like any other log.
    rows("UPDATE shard_change SET created_at = created_at - interval '2 hours' RETURNING 1")
    trim_logs(1)
    assert rows("SELECT count(*) FROM shard_change WHERE model_version_id = %s", first.pk) == [(0,)]


def test_a_clearing_that_died_between_the_parts_of_a_detach_goes_on(versions: Versions) -> None:
    first, second = versions
    switch(second, ACTOR)
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER TABLE embedding_vector DETACH PARTITION embedding_vector_v{first.pk}")
    assert not clear_ended_versions(60.0)
    first.refresh_from_db()
    assert first.status == ModelStatus.RETIRED
    assert not has_vector_partition(first.pk)


def test_an_emptied_log_does_not_continue_an_older_snapshot(versions: Versions) -> None:
    first, second = versions
    upsert(request(document("a", "text"), namespace="steps", model_id=first.model_id))
    index()
    heads = rows("SELECT shard, head FROM shard_counter WHERE model_version_id = %s AND head > 0", first.pk)
    ModelRegistry.objects.filter(pk=first.pk).update(status=ModelStatus.STANDBY)
    ModelRegistry.objects.filter(pk=second.pk).update(status=ModelStatus.ACTIVE)
    retire(first, ACTOR)
    clear_ended_versions(60.0)
    later = rows("SELECT shard, head FROM shard_counter WHERE model_version_id = %s AND head > 0", first.pk)
    assert [(shard, head + 1) for shard, head in heads] == later
