"""Documents: written, read, changed, deleted, whatever their ids look like."""

from typing import Any
from urllib.parse import quote

import httpx
import pytest

from tests.acceptance.conftest import ok

SPACE = "documents"
IDS = [
    "plain",
    "with/slash",
    "/leading//double/",
    "with%2Fescape",
    "..a/.b/...",
    "question?mark#hash",
    "a b+c&d=e",
    "quote\"'`;--",
    "🦊/é/日本語",
    "\u202eright-to-left",
    "%FF",
    "x" * 512,
]


def upsert(api: httpx.Client, **document: Any) -> dict[str, Any]:
    answer = ok(api.post("/v1/upsert", json={"namespace": SPACE, **document}))
    result: dict[str, Any] = answer["results"][0]
    return {**result, "token": answer["token"]}


def url(doc_id: str, *, safe: str = "", space: str = SPACE) -> str:
    # A path of dots alone is resolved by clients, as it must be, unless it is escaped.
    path = quote(doc_id, safe=safe).replace(".", "%2E")
    return f"/v1/vectors/{path}?namespace={space}"


def read(api: httpx.Client, doc_id: str) -> dict[str, Any]:
    return ok(api.get(url(doc_id)))


@pytest.mark.parametrize("doc_id", IDS)
def test_any_id_can_be_written_read_and_deleted(api: httpx.Client, doc_id: str) -> None:
    assert upsert(api, id=doc_id, text="any id will do")["id"] == doc_id
    for safe in ("", "/"):
        assert ok(api.get(url(doc_id, safe=safe)))["id"] == doc_id
    assert ok(api.delete(url(doc_id))) == {"id": doc_id, "revision": 2, "deleted": True}
    assert api.get(url(doc_id)).status_code == 404


def test_ids_are_compared_byte_by_byte(api: httpx.Client) -> None:
    alike = ["id", "ID", "id/", "\u00e9", "e\u0301"]
    for doc_id in alike:
        upsert(api, id=doc_id, text=f"text of {doc_id.encode().hex()}")
    assert [read(api, doc_id)["text"] for doc_id in alike] == [f"text of {doc_id.encode().hex()}" for doc_id in alike]


def test_a_document_is_read_as_it_was_written(api: httpx.Client) -> None:
    metadata = {
        "lang": "en",
        "year": 2024,
        "big": 9007199254740993,
        "ratio": 0.5,
        "tags": ["a", "b"],
        "by": {"n": None},
    }
    upsert(api, id="whole", text="  A whole document.  ", metadata=metadata, wait="indexed")
    document = read(api, "whole")
    assert (document["text"], document["metadata"]) == ("A whole document.", metadata)
    assert (document["namespace"], document["revision"], document["stale"]) == (SPACE, 1, False)
    assert "vector" not in document
    vector = ok(api.get(url("whole") + "&include=vector"))["vector"]
    assert len(vector) == 384
    assert sum(number * number for number in vector) == pytest.approx(1, abs=1e-4)


def test_writing_the_same_again_changes_nothing(api: httpx.Client) -> None:
    document = {"id": "same", "text": "always the same", "metadata": {"a": 1, "b": [1, 2]}}
    first = upsert(api, **document, wait="indexed")
    before = read(api, "same")
    again = upsert(api, **{**document, "metadata": {"b": [1, 2], "a": 1}})
    assert (first["revision"], again["revision"]) == (1, 1)
    assert again["state"] in ("indexed", "searchable")
    assert read(api, "same") == before


def test_a_change_of_metadata_keeps_the_vector(api: httpx.Client) -> None:
    upsert(api, id="meta", text="the text stays", metadata={"version": 1}, wait="indexed")
    changed = upsert(api, id="meta", text="the text stays", metadata={"version": 2})
    assert (changed["revision"], changed["state"] in ("indexed", "searchable")) == (2, True)
    document = read(api, "meta")
    assert (document["metadata"], document["state"], document["stale"]) == ({"version": 2}, "indexed", False)


def test_an_upsert_replaces_the_whole_document(api: httpx.Client) -> None:
    upsert(api, id="replaced", text="first", metadata={"a": 1})
    assert upsert(api, id="replaced", text="second")["revision"] == 2
    document = read(api, "replaced")
    assert (document["text"], document["metadata"]) == ("second", {})


def test_documents_written_together_are_answered_in_order(api: httpx.Client) -> None:
    documents = [{"id": f"together/{number}", "text": f"text {number}"} for number in (3, 1, 2)]
    answer = ok(api.post("/v1/upsert", json={"documents": documents, "namespace": SPACE, "wait": "searchable"}))
    assert [result["id"] for result in answer["results"]] == [document["id"] for document in documents]
    assert {result["state"] for result in answer["results"]} == {"searchable"}
    assert isinstance(answer["token"], str)


def test_a_bad_document_keeps_no_other_one_out(api: httpx.Client) -> None:
    documents = [{"id": "batch/good", "text": "good"}, {"id": "batch/bad", "text": " "}]
    answer = ok(api.post("/v1/upsert", json={"documents": documents, "namespace": SPACE, "wait": "searchable"}))
    good, bad = answer["results"]
    assert (good["state"], bad["id"], bad["error"]["code"]) == ("searchable", "batch/bad", "empty_input")
    assert isinstance(answer["token"], str)
    assert api.get(url("batch/bad")).status_code == 404


def test_deleting_is_idempotent_and_revisions_go_on_rising(api: httpx.Client) -> None:
    upsert(api, id="gone", text="soon gone")
    assert ok(api.delete(url("gone"))) == {"id": "gone", "revision": 2, "deleted": True}
    assert ok(api.delete(url("gone"))) == {"id": "gone", "revision": 2, "deleted": False}
    assert ok(api.delete(url("never was"))) == {"id": "never was", "revision": 0, "deleted": False}
    assert upsert(api, id="gone", text="soon gone")["revision"] == 3


def test_a_document_belongs_to_its_namespace_alone(api: httpx.Client) -> None:
    upsert(api, id="shared", text="here")
    ok(api.post("/v1/upsert", json={"id": "shared", "text": "there", "namespace": "documents-2"}))
    assert ok(api.delete(url("shared", space="documents-2")))["deleted"]
    assert read(api, "shared")["text"] == "here"


def test_a_namespace_tells_how_far_its_documents_have_come(api: httpx.Client) -> None:
    documents = [{"id": str(number), "text": f"number {number}"} for number in range(5)]
    ok(api.post("/v1/upsert", json={"documents": documents, "namespace": "counted", "wait": "searchable"}))
    ok(api.delete(url("4", space="counted")))
    status = ok(api.get("/v1/namespaces/counted"))
    assert (status["name"], status["model_id"], status["count"]) == ("counted", "all-MiniLM-L6-v2", 4)
    assert (status["pending"], status["quarantined"]) == (0, 0)


def test_vectors_of_the_client_are_stored_at_unit_length(api: httpx.Client, external_model: str) -> None:
    space = "documents-of-vectors"
    body = {"id": "v", "vector": [3, 4, 0, 0, 0, 0, 0, -0.0], "namespace": space, "model_id": external_model}
    ok(api.post("/v1/upsert", json=body))
    document = ok(api.get(url("v", space=space) + "&include=vector"))
    assert document["vector"] == pytest.approx([0.6, 0.8, 0, 0, 0, 0, 0, 0])
    assert document["text"] is None
