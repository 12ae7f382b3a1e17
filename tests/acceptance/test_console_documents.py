"""The pages home, documents and embed of the console, as people use them."""

import json
import os
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import httpx
import pytest
from playwright.sync_api import Browser, expect

from tests.acceptance.browser import Visit, browser
from tests.acceptance.conftest import ok
from tests.acceptance.console import NARROW, WIDE, barriers, console, copied
from tests.acceptance.hostile_documents import DOCUMENTS, IMAGE, SCRIPT
from tests.acceptance.other_versions import register_hashing
from tests.conftest import EXTERNAL_DIMENSION, Service

NAMESPACE = "console-documents"
MANY = [{"id": f"many/{number:03}", "text": f"Note {number}.", "metadata": {"kind": "many"}} for number in range(60)]
PICTURES = os.environ.get("PICTURES")
__all__ = ["browser"]


@pytest.fixture(scope="module")
def written(service: Service) -> None:
    for documents in (DOCUMENTS, MANY):
        body = {"namespace": NAMESPACE, "documents": documents, "wait": "searchable"}
        ok(httpx.post(f"{service.url}/v1/upsert", json=body, timeout=60.0))


@pytest.fixture
def visit(browser: Browser, service: Service, written: None) -> Iterator[Visit]:
    with console(browser, service) as visit:
        yield visit


def ids_of(visit: Visit, kind: str) -> list[str]:
    body = {"namespace": NAMESPACE, "filters": {"kind": kind}, "limit": 1000}
    answer = ok(httpx.post(f"{visit.url}/v1/documents/query", json=body, timeout=30.0))
    return [one["id"] for one in answer["documents"]]


def test_documents_are_paged_selected_exported_and_deleted(visit: Visit) -> None:
    page = visit.open(f"/console/documents/?ns={NAMESPACE}")
    rows = page.locator("tr[data-document]")
    expect(rows).to_have_count(50)
    page.get_by_role("button", name="Next page").click()
    expect(rows).to_have_count(18)
    page.go_back()
    expect(rows).to_have_count(50)
    page.locator(".facet").get_by_role("button", name="many 60").click()
    expect(page.get_by_text("60 of 68 documents pass")).to_be_visible()
    everything = page.get_by_role("checkbox", name="Select all on this page")
    everything.check()
    expect(page.get_by_role("button", name="Export 50 selected documents")).to_be_visible()
    everything.uncheck()
    for doc_id in ("many/000", "many/001"):
        page.get_by_role("checkbox", name=f"Select {doc_id}").check()
    with page.expect_download() as download:
        page.get_by_role("button", name="Export 2 selected documents").click()
    lines = Path(download.value.path()).read_text().splitlines()
    assert [json.loads(line)["id"] for line in lines] == ["many/000", "many/001"]
    delete = page.get_by_role("button", name="Delete 2 selected documents")
    delete.click()
    # The page asks first whether the delete can be undone.
    expect(page.locator("dialog.dialog")).to_be_visible()
    assert barriers(visit) == []
    page.keyboard.press("Escape")
    expect(page.locator("dialog.dialog")).to_have_count(0)
    assert len(ids_of(visit, "many")) == 60
    delete.click()
    page.get_by_role("button", name="Delete", exact=True).click()
    expect(page.get_by_text("58 of 66 documents pass")).to_be_visible()
    assert ids_of(visit, "many")[0] == "many/002"
    page.get_by_role("button", name="Delete all that pass").click()
    expect(page.get_by_text("Delete 58 documents?")).to_be_visible()
    page.get_by_role("button", name="Delete", exact=True).click()
    expect(page.get_by_text("No document passes the filter")).to_be_visible()
    assert ids_of(visit, "many") == []


def stored(visit: Visit, namespace: str) -> dict[str, Any]:
    body = {"namespace": namespace, "limit": 1000}
    found = ok(httpx.post(f"{visit.url}/v1/documents/query", json=body, timeout=30.0))["documents"]
    return {one["id"]: (one["text"], one["metadata"], one["expires_at"]) for one in found}


def test_a_delete_is_taken_back_from_the_list_and_from_a_document(visit: Visit) -> None:
    namespace = "console-undo"
    documents = [
        {"id": f"undo/{at:03}", "text": f"Note {at}.", "metadata": {"kind": "undo", "at": at}} for at in range(120)
    ]
    documents[0]["expires_at"] = "2090-01-01T00:00:00+00:00"
    body = {"namespace": namespace, "documents": documents, "wait": "searchable"}
    ok(httpx.post(f"{visit.url}/v1/upsert", json=body, timeout=60.0))
    before = stored(visit, namespace)
    page = visit.open(f"/console/documents/?ns={namespace}")
    page.locator(".facet").get_by_role("button", name="undo 120").click()
    page.get_by_role("button", name="Delete all that pass").click()
    expect(page.get_by_text("You can undo it for 20 seconds")).to_be_visible()
    page.get_by_role("button", name="Delete", exact=True).click()
    expect(page.get_by_text("120 documents deleted")).to_be_visible()
    assert stored(visit, namespace) == {}
    page.get_by_role("button", name="Undo", exact=True).click()
    expect(page.get_by_text("120 documents written again")).to_be_visible()
    assert stored(visit, namespace) == before
    page.get_by_role("button", name="undo/000").click()
    page.locator(".drawer").get_by_role("button", name="Delete", exact=True).click()
    page.locator("dialog.dialog").get_by_role("button", name="Delete", exact=True).click()
    expect(page.locator("dialog")).to_have_count(0)
    again = {"namespace": namespace, "id": "undo/000", "text": "Somebody else's."}
    ok(httpx.post(f"{visit.url}/v1/upsert", json=again, timeout=60.0))
    page.get_by_role("button", name="Undo", exact=True).click()
    expect(page.get_by_text("somebody wrote them meanwhile")).to_be_visible()
    visit.forgive("409")
    assert stored(visit, namespace)["undo/000"][0] == "Somebody else's."
    page.get_by_role("checkbox", name="Select undo/001").check()
    page.get_by_role("button", name="Delete 1 selected document").click()
    page.get_by_role("button", name="Delete", exact=True).click()
    expect(page.get_by_role("button", name="Undo", exact=True)).to_be_visible()
    assert barriers(visit) == []


def test_a_delete_that_cannot_be_taken_back_says_so_before(visit: Visit, service: Service, external_model: str) -> None:
    texts_gone, vectors = "console-undo-no-texts", "console-undo-vectors"
    model = "console-undo-model"
    register_hashing(service, model, 16)
    # A version that does not answer yet takes vectors; the one that answers does not.
    draft = {"type": "external", "dimension": 4}
    httpx.post(f"{visit.url}/v1/models/{model}/versions", json=draft, timeout=30.0).raise_for_status()
    settings = {"store_text": False, "model_id": model}
    httpx.put(f"{visit.url}/v1/namespaces/{texts_gone}", json=settings, timeout=30.0).raise_for_status()
    # The text is there until it is embedded, and could be written again until then.
    text = {"namespace": texts_gone, "id": "gone", "text": "Not kept.", "wait": "indexed"}
    ok(httpx.post(f"{visit.url}/v1/upsert", json=text, timeout=60.0))
    vector = [1.0] * EXTERNAL_DIMENSION
    given = [{"id": "vector", "vector": vector}, {"id": "both", "vector": vector, "text": "Beside its vector."}]
    body = {"namespace": vectors, "model_id": external_model, "documents": given, "wait": "indexed"}
    ok(httpx.post(f"{visit.url}/v1/upsert", json=body, timeout=60.0))
    before = stored(visit, vectors)
    page = visit.page
    for namespace, doc_id, said in (
        (texts_gone, "gone", "It cannot be undone: the service does not keep"),
        (vectors, "vector", "You can undo it for 20 seconds"),
        (vectors, "both", "You can undo it for 20 seconds"),
    ):
        visit.open(f"/console/documents/?ns={namespace}")
        page.get_by_role("checkbox", name=f"Select {doc_id}").check()
        page.get_by_role("button", name="Delete 1 selected document").click()
        expect(page.get_by_text(said)).to_be_visible()
        if PICTURES:
            page.screenshot(path=f"{PICTURES}/undo-{namespace}.png")
        page.get_by_role("button", name="Delete", exact=True).click()
        expect(page.get_by_text("1 document deleted")).to_be_visible()
        assert doc_id not in stored(visit, namespace)
        if namespace == vectors:
            page.get_by_role("button", name="Undo", exact=True).click()
            expect(page.get_by_text("1 document written again")).to_be_visible()
            assert stored(visit, vectors) == before


def test_home_says_what_does_not_work_and_where_to_look(visit: Visit) -> None:
    checks = {"shards": {"ok": False, "detail": "<b>shard 1</b>: 0 answer"}, "cache": {"ok": True, "detail": "answers"}}
    visit.page.route("**/readyz", lambda route: route.fulfill(status=503, json={"ready": False, "checks": checks}))
    page = visit.open("/console/home/")
    banner = page.locator("[data-banner] .note")
    expect(banner).to_have_text("shards: <b>shard 1</b>: 0 answer See operations")
    expect(banner.get_by_role("link")).to_have_attribute("href", "/admin/operations/")
    expect(page.locator("[data-namespaces] table")).to_be_visible()
    visit.forgive("503")


def test_an_empty_service_leads_to_the_first_documents(visit: Visit) -> None:
    nothing: dict[str, object] = {"namespaces": [], "next": None}
    visit.page.route("**/v1/namespaces?*", lambda route: route.fulfill(json=nothing))
    page = visit.open("/console/")
    expect(page.get_by_text("There is nothing to search yet")).to_be_visible()
    page.get_by_role("link", name="Add the first documents").click()
    expect(page.get_by_text("There is nothing here yet")).to_be_visible()
    assert barriers(visit) == []
    visit.page.unroute("**/v1/namespaces?*")
    page.get_by_role("button", name="Load the sample").click()
    expect(page.get_by_text("60 documents written to sample")).to_be_visible()
    expect(page.locator("tr[data-namespace=sample]")).to_contain_text("topic")
    page.get_by_text("Search", exact=True).last.click()
    expect(page).to_have_url(re.compile(r"/console/\?ns=sample$"))
    expect(page.locator(".facet")).to_have_count(2)
    expect(page.get_by_text("Or begin with a document")).to_be_visible()
    assert httpx.delete(f"{visit.url}/v1/namespaces/sample", timeout=30.0).status_code == 200


def test_the_metadata_of_a_document_is_changed(visit: Visit) -> None:
    page = visit.open(f"/console/documents/?ns={NAMESPACE}")
    page.get_by_role("button", name="deep/1").click()
    box = page.get_by_label("Metadata, as JSON")
    for wrong, said in (("[]", "Metadata is an object"), ("{", "JSON"), (json.dumps({"kind": "plain"}), None)):
        box.fill(wrong)
        page.get_by_role("button", name="Save metadata").click()
        expect(page.get_by_text(said or "Metadata saved").first).to_be_visible()
    expect(page.locator(".facts")).to_contain_text("Revision2")
    body = {"namespace": NAMESPACE, "ids": ["deep/1"]}
    [found] = ok(httpx.post(f"{visit.url}/v1/documents/get", json=body, timeout=30.0))["documents"]
    assert found["metadata"] == {"kind": "plain"}
    page.get_by_role("button", name="Delete", exact=True).click()
    page.locator("dialog.dialog").get_by_role("button", name="Delete", exact=True).click()
    expect(page.locator("dialog")).to_have_count(0)
    expect(page.locator("tr[data-document]", has_text="deep/1")).to_have_count(0)


@pytest.mark.parametrize("width", [WIDE, NARROW])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_page_is_fit_for_all(
    browser: Browser, service: Service, written: None, width: int, scheme: Literal["light", "dark"]
) -> None:
    with console(browser, service, width=width, scheme=scheme) as visit:
        page = visit.open(f"/console/documents/?ns={NAMESPACE}")
        for doc_id in (SCRIPT, IMAGE, "emoji/🦊", "l" * 500):
            expect(page.get_by_role("button", name=doc_id, exact=True)).to_be_visible()
        expect(page.locator(".facet")).not_to_have_count(0)
        assert barriers(visit) == []
        page = visit.open("/console/home/")
        expect(page.locator(f"tr[data-namespace={NAMESPACE}]")).to_be_visible()
        assert barriers(visit) == []
        page = visit.open("/console/embed/?t=" + json.dumps([IMAGE, "🦊", "where do foxes sleep?"]).replace("#", "%23"))
        expect(page.locator(".matrix tbody tr")).to_have_count(3)
        expect(page.get_by_text("The model knows no token of this text")).to_be_visible()
        assert barriers(visit) == []


def embed_until_cached(visit: Visit, texts: int) -> None:
    """An embedder writes the cache before it answers, but a write that takes longer than a quarter of a second is given
    up: then the text is computed again, and written again. A text of a deleted document stays out for a minute."""
    deadline = time.monotonic() + 180
    cached = visit.page.locator(".flag", has_text="cached")
    while cached.count() < texts:
        assert time.monotonic() < deadline
        visit.page.get_by_role("button", name="Embed", exact=True).click()
        expect(visit.page.locator("[data-results]")).to_have_attribute("aria-busy", "false")
        expect(visit.page.locator(".matrix")).to_be_visible()


def test_texts_are_compared_and_what_the_model_does_not_read_is_struck_through(visit: Visit) -> None:
    page = visit.open("/console/embed/")
    boxes = page.locator("textarea")
    boxes.nth(2).fill("winter " * 400)
    page.get_by_role("button", name="Embed", exact=True).click()
    expect(page.locator(".matrix tbody td").first).to_have_text("1.000")
    expect(page.locator(".beyond")).to_contain_text("winter")
    expect(page.get_by_text("cut off")).to_be_visible()
    embed_until_cached(visit, 3)
    assert len(json.loads(copied(page, page.get_by_role("button", name="Copy vector").first.click))) == 384
    assert "t=" not in visit.open("/console/embed/").url


def test_documents_are_added_from_a_text_and_from_files(visit: Visit, tmp_path: Path) -> None:
    page = visit.open("/console/home/")
    page.get_by_role("button", name="Write a document").click()
    page.get_by_label("Namespace", exact=True).fill("console-added")
    page.get_by_label("Id", exact=True).fill("typed/1")
    page.get_by_label("Text", exact=True).fill("A text that somebody typed.")
    assert barriers(visit) == []
    page.get_by_role("button", name="Write", exact=True).click()
    expect(page.get_by_text("1 document written to console-added")).to_be_visible()
    table = tmp_path / "rows.csv"
    table.write_text('id,text,year\nrow/1,"A ""quoted"", long\ntext",2024\nrow/2,,2025\n')
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Choose a file").click()
    chooser.value.set_files(table)
    page.get_by_label("Namespace", exact=True).fill("console-added")
    page.get_by_role("button", name="Upload", exact=True).click()
    expect(page.get_by_text("1 row refused. row/2: A text has no visible character")).to_be_visible()
    body = {"namespace": "console-added"}
    found = ok(httpx.post(f"{visit.url}/v1/documents/query", json=body, timeout=30.0))["documents"]
    assert [(one["id"], one["text"]) for one in found] == [
        ("row/1", 'A "quoted", long\ntext'),
        ("typed/1", "A text that somebody typed."),
    ]
    assert found[0]["metadata"] == {"year": 2024}
