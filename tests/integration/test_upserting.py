"""What an upsert changes, and what it leaves alone."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from embedding_project.contracts.errors import ServiceError
from embeddings_app.services.documents.deleting import delete
from embeddings_app.services.documents.namespace_status import namespace_status
from embeddings_app.services.documents.outcomes import DocumentResult, RefusedDocument, Wait, outcomes_of
from embeddings_app.services.documents.reading import read_document
from embeddings_app.services.documents.upserting import write
from tests.integration.indexing_steps import NAMESPACE, document, in_thread, index, put, record, request, rows

pytestmark = pytest.mark.usefixtures("database")


def test_an_identical_upsert_changes_nothing() -> None:
    put(("a", "text"), metadata={"n": 1, "list": [1, "x"], "inner": {"b": True}})
    index()
    before = rows("SELECT revision, text_revision, updated_at FROM document")
    (result,) = put(("a", "text"), metadata={"inner": {"b": True}, "list": [1, "x"], "n": 1.0})
    assert (result.revision, result.state) == (1, "indexed")
    assert rows("SELECT revision, text_revision, updated_at FROM document") == before


def test_true_is_not_one() -> None:
    put(("a", "text"), metadata={"flag": 1})
    (result,) = put(("a", "text"), metadata={"flag": True})
    assert result.revision == 2


def test_a_metadata_change_needs_no_embedding_and_reaches_the_log() -> None:
    put(("a", "text"), metadata={"n": 1})
    index()
    (result,) = put(("a", "text"), metadata={"n": 2})
    assert (result.revision, result.state) == (2, "indexed")
    assert rows("SELECT revision FROM shard_change ORDER BY seq") == [(1,), (2,)]


def test_a_new_text_leaves_the_document_findable_by_the_old_one() -> None:
    put(("a", "old"))
    index()
    put(("a", "new"))
    view = read_document(NAMESPACE, "a", include_vector=True)
    assert (view.state, view.stale, view.text) == ("pending", True, "new")
    assert view.vector is not None


def test_two_documents_of_one_text_are_two_documents() -> None:
    put(("a", "same"), ("b", "same"))
    index()
    assert record("a")[0] == record("b")[0] == "ready"
    assert namespace_status(NAMESPACE).count == 2


def test_revisions_go_on_rising_after_a_delete() -> None:
    put(("a", "text"))
    assert delete(NAMESPACE, "a").revision == 2
    (result,) = put(("a", "text"))
    assert (result.revision, result.state) == (3, "pending")


def test_a_tombstone_keeps_no_content() -> None:
    put(("a", "secret"), metadata={"also": "secret"})
    index()
    delete(NAMESPACE, "a")
    assert rows("SELECT text, metadata::text, length(content_hash), deleted FROM document") == [("", "{}", 0, True)]
    assert rows("SELECT 1 FROM embedding_vector UNION ALL SELECT 1 FROM embedding_record") == []


def test_a_65th_metadata_field_is_refused_and_nothing_is_written() -> None:
    put(("a", "text"), metadata={f"f{number}": 1 for number in range(64)})
    with pytest.raises(ServiceError) as caught:
        put(("b", "text"), metadata={"one_more": 1})
    assert (caught.value.code, caught.value.field) == ("too_many_fields", "metadata")
    assert rows("SELECT doc_id FROM document") == [("a",)]


def test_the_document_with_a_field_too_many_is_refused_alone() -> None:
    put(("a", "text"), metadata={f"f{number}": 1 for number in range(63)})
    wanted = {"b": {"f1": 2}, "c": {"x": 1, "y": 1}, "d": {"x": 1}}
    several = [document(doc_id, "text", metadata) for doc_id, metadata in wanted.items()]
    refused = write(request(*several))[1][1]
    assert isinstance(refused, RefusedDocument)
    assert (refused.doc_id, refused.error.code) == ("c", "too_many_fields")
    assert refused.error.field == "documents[1].metadata"
    assert rows("SELECT doc_id FROM document ORDER BY doc_id") == [("a",), ("b",), ("d",)]


@pytest.mark.parametrize("wait", list(Wait))
def test_a_document_deleted_before_the_answer_has_its_own_outcome(wait: Wait) -> None:
    put(("kept", "text"), ("gone", "text"))
    index()
    version_key, outcomes = write(request(document("kept", "text", {}), document("gone", "text", {})))
    delete(NAMESPACE, "gone")
    answer = outcomes_of(outcomes, wait, version_key, time.monotonic() + 0.1)
    assert [item.state for item in answer.results if isinstance(item, DocumentResult)] == ["indexed", "deleted"]
    assert answer.token


def test_a_document_deleted_while_its_writer_waits_has_its_own_outcome() -> None:
    version_key, outcomes = write(request(document("a", "text", {})))
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(in_thread, outcomes_of, outcomes, Wait.INDEXED, version_key, time.monotonic() + 9)
        delete(NAMESPACE, "a")
        assert [item.state for item in waiting.result().results if isinstance(item, DocumentResult)] == ["deleted"]
