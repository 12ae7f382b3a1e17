"""Writes that ask for a revision: of several writers one wins, and the others hear which revision there is."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from embedding_project.contracts.errors import InvalidRequest
from embeddings_app.services.documents.deleting import delete
from embeddings_app.services.documents.outcomes import DocumentResult, RefusedDocument
from embeddings_app.services.documents.reading import read_document
from embeddings_app.services.documents.upserting import upsert
from tests.integration.indexing_steps import NAMESPACE, document, in_thread, put, request

pytestmark = pytest.mark.usefixtures("database")


def write(doc_id: str, text: str, if_revision: int) -> DocumentResult | RefusedDocument:
    """Raises InvalidRequest."""
    (result,) = upsert(request(replace(document(doc_id, text), if_revision=if_revision))).results
    return result


def refused(doc_id: str, if_revision: int) -> str:
    """What a write hears that must not succeed."""
    with pytest.raises(InvalidRequest) as caught:
        write(doc_id, "a text that must not be written", if_revision)
    assert (caught.value.code, caught.value.field) == ("revision_conflict", "documents[0].if_revision")
    return caught.value.message


def test_a_document_is_written_at_the_revision_asked_for_and_at_no_other() -> None:
    put(("a", "one"))
    assert refused("a", 2) == refused("a", 0) == "the document is at revision 1"
    assert write("a", "two", 1) == DocumentResult("a", 2, "pending")
    assert refused("a", 1) == "the document is at revision 2"
    assert read_document(NAMESPACE, "a", False).text == "two"


def test_revision_0_is_that_of_a_document_that_is_not_there() -> None:
    assert write("a", "one", 0) == DocumentResult("a", 1, "pending")
    assert refused("b", 1) == "there is no such document"
    delete(NAMESPACE, "a")
    assert refused("a", 2) == "there is no such document"
    assert write("a", "again", 0) == DocumentResult("a", 3, "pending")


def test_a_conflict_is_refused_alone() -> None:
    put(("a", "one"), ("b", "two"))
    writes = [
        replace(document("a", "new"), if_revision=7),
        replace(document("b", "new"), if_revision=1),
        document("c", "x"),
    ]
    first, second, third = upsert(request(*writes)).results
    assert isinstance(first, RefusedDocument)
    assert first.error.code == "revision_conflict"
    assert [second, third] == [DocumentResult("b", 2, "pending"), DocumentResult("c", 1, "pending")]
    assert read_document(NAMESPACE, "a", False).text == "one"


@pytest.mark.parametrize("start", [0, 1])
def test_of_writers_at_the_same_time_one_wins(start: int) -> None:
    if start:
        put(("a", "first"))

    def race(number: int) -> str:
        try:
            write("a", f"text {number}", start)
        except InvalidRequest as error:
            return error.code
        return f"text {number}"

    with ThreadPoolExecutor(8) as pool:
        heard = [turn.result() for turn in [pool.submit(in_thread, race, number) for number in range(16)]]
    (won,) = [text for text in heard if text != "revision_conflict"]
    view = read_document(NAMESPACE, "a", False)
    assert (view.text, view.revision) == (won, start + 1)
