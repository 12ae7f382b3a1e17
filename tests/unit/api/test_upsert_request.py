"""Bodies of /v1/upsert."""

import pytest

from embeddings_app.api.routes.upsert import upsert_request
from embeddings_app.services.documents.outcomes import RefusedDocument, Wait
from embeddings_app.services.documents.upserting import DocumentWrite
from tests.unit.api.refusals import refusal

ONE = {"id": "a", "text": "t"}


def test_one_document_gets_the_defaults() -> None:
    request = upsert_request(dict(ONE))
    assert (request.namespace, request.model_id, request.wait) == ("default", None, Wait.ACCEPTED)
    (document,) = request.documents
    assert isinstance(document, DocumentWrite)
    assert (document.doc_id, document.text, document.vector, document.metadata) == ("a", "t", None, None)
    assert document.field == ""


def test_several_documents_know_where_they_stand() -> None:
    other = {"id": "b", "vector": [1, 2.5], "metadata": {"n": 1}}
    request = upsert_request({"documents": [ONE, other], "wait": "indexed"})
    documents = [document for document in request.documents if isinstance(document, DocumentWrite)]
    assert [document.field for document in documents] == ["documents[0]", "documents[1]"]
    assert documents[1].vector == [1, 2.5]
    assert documents[1].text is None
    assert request.wait is Wait.INDEXED


IDS = ["a/b", "a%2Fb", "...", "?#", "\u00e9", "e\u0301", "🦊 x", "' OR 1=1--", "\u202e", "x" * 512]


@pytest.mark.parametrize("doc_id", IDS)
def test_ids_are_kept_as_they_are(doc_id: str) -> None:
    assert upsert_request({**ONE, "id": doc_id}).documents[0].doc_id == doc_id


@pytest.mark.parametrize(
    ("change", "code", "field"),
    [
        ({"id": ""}, "invalid_value", "id"),
        ({"id": None}, "missing_field", "id"),
        ({"id": 5}, "invalid_type", "id"),
        ({"id": ["a"]}, "invalid_type", "id"),
        ({"id": "x" * 513}, "invalid_value", "id"),
        ({"id": "é" * 257}, "invalid_value", "id"),
        ({"id": "a\nb"}, "invalid_value", "id"),
        ({"id": "a\x00"}, "invalid_value", "id"),
        ({"id": "a\x85"}, "invalid_value", "id"),
        ({"id": "."}, "invalid_value", "id"),
        ({"id": "a/../b"}, "invalid_value", "id"),
        ({"id": "./a"}, "invalid_value", "id"),
        ({"text": None}, "missing_field", "text"),
        ({"text": 5}, "invalid_type", "text"),
        ({"text": " "}, "empty_input", "text"),
        ({"vector": 5}, "invalid_type", "vector"),
        ({"vector": {}}, "invalid_type", "vector"),
        ({"metadata": []}, "invalid_type", "metadata"),
        ({"metadata": {"": 1}}, "invalid_value", "metadata"),
        ({"metadata": {"k" * 129: 1}}, "invalid_value", "metadata"),
        ({"metadata": {"a": {"b": "\x00"}}}, "invalid_text", "metadata.a.b"),
        ({"metadata": {"a": {"b": {"c": {"d": {"e": 1}}}}}}, None, None),
        ({"metadata": {"a": {"b": {"c": {"d": {"e": {"f": 1}}}}}}}, "invalid_value", "metadata.a.b.c.d.e"),
        ({"metadata": {"a": "x" * 16 * 1024}}, "invalid_value", "metadata"),
        ({"metadata": {f"k{n}": n for n in range(65)}}, "invalid_value", "metadata"),
        ({"metadata": {"n": 1e400}}, "invalid_number", "metadata.n"),
        ({"namespace": ""}, "invalid_value", "namespace"),
        ({"namespace": "*"}, "invalid_value", "namespace"),
        ({"namespace": "Default"}, "invalid_value", "namespace"),
        ({"namespace": "аbc"}, "invalid_value", "namespace"),  # noqa: RUF001 Cyrillic on purpose
        ({"namespace": "a" * 64}, "invalid_value", "namespace"),
        ({"namespace": "a\n"}, "invalid_value", "namespace"),
        ({"wait": "yes"}, "invalid_value", "wait"),
        ({"wait": True}, "invalid_type", "wait"),
        ({"revision": 7}, "unknown_field", "revision"),
        ({"deleted": True}, "unknown_field", "deleted"),
        ({"shard": 0}, "unknown_field", "shard"),
        ({"state": "ready"}, "unknown_field", "state"),
    ],
)
def test_a_bad_document_is_refused_with_code_and_field(
    change: dict[str, object], code: str | None, field: str | None
) -> None:
    body: dict[str, object] = {**ONE, **change}
    if code is None:
        upsert_request(body)
    else:
        assert refusal(lambda: upsert_request(body)) == (code, field)


@pytest.mark.parametrize(
    ("body", "code", "field"),
    [
        ({}, "missing_field", "id"),
        ({"id": "a"}, "missing_field", "text"),
        ({"documents": ONE}, "invalid_type", "documents"),
        ({"documents": []}, "invalid_value", "documents"),
        ({"documents": [ONE] * 257}, "too_many_items", "documents"),
        ({"documents": [ONE], "id": "b"}, "invalid_value", "id"),
        ({"documents": [ONE, {"id": "b", "text": "t"}, ONE]}, "duplicate_id", "documents[2].id"),
        ({"documents": [ONE, {"id": "a", "text": " "}]}, "duplicate_id", "documents[1].id"),
    ],
)
def test_a_bad_list_is_refused_with_code_and_path(body: dict[str, object], code: str, field: str) -> None:
    assert refusal(lambda: upsert_request(body)) == (code, field)


@pytest.mark.parametrize(
    ("item", "doc_id", "code", "field"),
    [
        (5, None, "invalid_type", "documents[1]"),
        ({"text": "t"}, None, "missing_field", "documents[1].id"),
        ({"id": "..", "text": "t"}, None, "invalid_value", "documents[1].id"),
        ({"id": "b"}, "b", "missing_field", "documents[1].text"),
        ({"id": "b", "text": " "}, "b", "empty_input", "documents[1].text"),
        ({"id": "b", "text": "x" * 40_000}, "b", "text_too_long", "documents[1].text"),
        ({"id": "b", "text": "a\x00"}, "b", "invalid_text", "documents[1].text"),
        ({"id": "b", "text": "t", "namespace": "x"}, "b", "unknown_field", "documents[1].namespace"),
        ({"id": "b", "text": "t", "metadata": 5}, "b", "invalid_type", "documents[1].metadata"),
    ],
)
def test_a_bad_document_among_good_ones_has_its_own_outcome(
    item: object, doc_id: str | None, code: str, field: str
) -> None:
    good, bad, last = upsert_request({"documents": [ONE, item, {"id": "c", "text": "t"}]}).documents
    assert (good.doc_id, last.doc_id) == ("a", "c")
    assert isinstance(bad, RefusedDocument)
    assert (bad.doc_id, bad.error.code, bad.error.field) == (doc_id, code, field)
