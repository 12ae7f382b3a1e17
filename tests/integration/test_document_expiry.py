"""Documents whose time is over: no answer shows them, and then they go."""

import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from embedding_project.contracts.errors import InvalidRequest, ServiceError
from embeddings_app.records.documents import expired_documents
from embeddings_app.records.reading import hydrate
from embeddings_app.services import namespaces
from embeddings_app.services.documents.deleting import delete_expired
from embeddings_app.services.documents.listing import count_documents, list_documents
from embeddings_app.services.documents.outcomes import DocumentResult
from embeddings_app.services.documents.reading import read_document, read_documents
from embeddings_app.services.documents.updating import MetadataChange, update_many
from embeddings_app.services.documents.upserting import upsert
from embeddings_app.services.jobs.expired_documents import EXPIRED_DOCUMENTS
from embeddings_app.services.jobs.job import Run
from tests.integration.held_documents import held_documents
from tests.integration.indexing_steps import NAMESPACE, document, index, put, request, rows

pytestmark = pytest.mark.usefixtures("database")
PAST, FUTURE = datetime(2020, 1, 1, tzinfo=UTC), datetime(2099, 1, 1, tzinfo=UTC)


def write(doc_id: str, expires_at: datetime | None, if_revision: int | None = None) -> DocumentResult:
    write = replace(document(doc_id, f"text of {doc_id}"), expires_at=expires_at, if_revision=if_revision)
    (result,) = upsert(request(write)).results
    assert isinstance(result, DocumentResult)
    return result


def run_job() -> object:
    return EXPIRED_DOCUMENTS.work(Run(deadline=time.monotonic() + 60)).result["documents_deleted"]


def test_no_answer_shows_a_document_whose_time_is_over() -> None:
    for doc_id, expires_at in (("gone", PAST), ("later", FUTURE), ("stays", None)):
        write(doc_id, expires_at)
    index()
    assert [view.doc_id for view in list_documents(NAMESPACE, None, limit=10).documents] == ["later", "stays"]
    assert count_documents(NAMESPACE, None).count == 2
    assert [view.expires_at for view in read_documents(NAMESPACE, ["later", "gone", "stays"], False)] == [FUTURE, None]
    with pytest.raises(ServiceError):
        read_document(NAMESPACE, "gone", False)
    keys = dict(rows("SELECT doc_id, id FROM document"))
    version_key = rows("SELECT DISTINCT model_version_id FROM embedding_record")[0][0]
    shown = hydrate(version_key, list(keys.values()), with_metadata=False, with_text=False, with_vector=False)
    assert {row.doc_id for row in shown.values()} == {"later", "stays"}


def test_a_namespace_whose_documents_cannot_be_deleted_keeps_no_other_waiting() -> None:
    for doc_id, namespace in (("held", NAMESPACE), ("free", "other")):
        upsert(request(replace(document(doc_id, "text"), expires_at=PAST), namespace=namespace))
    held = namespaces.namespace(NAMESPACE).pk
    assert list(expired_documents(1)) == [held]
    assert list(expired_documents(1, {held}).values()) == [["free"]]
    with held_documents(held):
        done = EXPIRED_DOCUMENTS.work(Run(deadline=time.monotonic() + 60))
    assert (done.result, done.problem) == ({"documents_deleted": 1}, "busy")
    assert run_job() == 1


def test_the_job_deletes_what_is_over_and_nothing_else() -> None:
    for doc_id, expires_at in (("gone", PAST), ("later", FUTURE), ("stays", None)):
        write(doc_id, expires_at)
    index()
    assert run_job() == 1
    assert run_job() == 0
    assert rows("SELECT doc_id FROM document WHERE deleted") == [("gone",)]
    assert rows("SELECT count(*) FROM embedding_vector") == [(2,)]


def test_a_document_that_was_written_again_meanwhile_stays() -> None:
    write("a", PAST)
    found = expired_documents(10)
    write("a", FUTURE)
    ((namespace_key, doc_ids),) = found.items()
    assert delete_expired(namespace_key, doc_ids) == 0
    assert read_document(NAMESPACE, "a", False).expires_at == FUTURE


def test_another_expiry_is_a_change_without_a_new_embedding() -> None:
    put(("a", "text of a"))
    index()
    assert write("a", FUTURE) == DocumentResult("a", 2, "indexed")
    assert write("a", FUTURE) == DocumentResult("a", 2, "indexed", unchanged=True)
    assert write("a", None) == DocumentResult("a", 3, "indexed")
    assert rows("SELECT revision FROM shard_change ORDER BY seq") == [(1,), (2,), (3,)]


def test_a_write_that_asks_for_no_document_finds_none_where_it_is_over() -> None:
    write("a", datetime.now(UTC) + timedelta(hours=1))
    with pytest.raises(InvalidRequest):
        write("a", None, if_revision=0)
    rows("UPDATE document SET expires_at = now() - interval '1 second' RETURNING id")
    assert write("a", None, if_revision=0).revision == 2
    assert namespaces.namespace(NAMESPACE).name == NAMESPACE
    assert read_document(NAMESPACE, "a", False).expires_at is None


def test_an_update_does_not_touch_what_is_over() -> None:
    write("a", PAST)
    done = update_many(namespaces.namespace(NAMESPACE), ["a"], MetadataChange({"seen": True}, ()))
    assert (done.matched, done.changed) == (0, 0)
