"""The search page of the console, as people use it."""

import json
import re
from collections.abc import Iterator
from typing import Literal
from urllib.parse import quote

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from tests.acceptance.browser import Visit, browser
from tests.acceptance.conftest import ok
from tests.acceptance.console import NARROW, WIDE, barriers, console, copied
from tests.acceptance.hostile_documents import DOCUMENTS, IMAGE, RIGHT_TO_LEFT, SCRIPT
from tests.conftest import Service

NAMESPACE = "console-search"
__all__ = ["browser"]


@pytest.fixture(scope="module")
def written(service: Service) -> None:
    body = {"namespace": NAMESPACE, "documents": DOCUMENTS, "wait": "searchable"}
    ok(httpx.post(f"{service.url}/v1/upsert", json=body, timeout=60.0))


@pytest.fixture
def visit(browser: Browser, service: Service, written: None) -> Iterator[Visit]:
    with console(browser, service) as visit:
        yield visit


def address(query: str = "", **more: object) -> str:
    where = {"ns": NAMESPACE, **({"q": query} if query else {}), **more}
    return "/console/?" + "&".join(
        f"{name}={quote(value if isinstance(value, str) else json.dumps(value))}" for name, value in where.items()
    )


def hit(page: Page, doc_id: str) -> str:
    return f"[data-hit={json.dumps(doc_id)}]"


def test_a_search_is_typed_read_and_shared_by_its_address(visit: Visit) -> None:
    page = visit.open(f"/console/?ns={NAMESPACE}")
    expect(page.get_by_text("Search 8 documents by meaning")).to_be_visible()
    page.locator("h1").click(force=True)
    page.keyboard.press("/")
    expect(page.locator("#query")).to_be_focused()
    page.keyboard.type("where do foxes sleep?")
    page.keyboard.press("Enter")
    first = page.locator("[data-hit]").first
    expect(first).to_have_attribute("data-hit", "plain/1")
    expect(first.locator("mark").first).to_have_text("Foxes")
    expect(page.get_by_text("8 hits in")).to_be_visible()
    expect(page.get_by_text("Where the time went")).to_be_visible()
    visit.open(page.url.removeprefix(visit.url))
    expect(page.locator("[data-hit]").first).to_have_attribute("data-hit", "plain/1")
    assert "curl -s 'http" in copied(page, page.get_by_role("button", name="Copy as curl").click)
    python = copied(page, page.get_by_role("button", name="Copy as Python").click)
    assert '"query": "where do foxes sleep?"' in python


def test_the_keys_go_through_the_hits_and_open_one(visit: Visit) -> None:
    page = visit.open(address("owls at night"))
    expect(page.locator(hit(page, "plain/2"))).to_be_visible()
    page.keyboard.press("/")
    page.keyboard.press("ArrowDown")
    expect(page.locator("[data-hit]").first).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("dialog.drawer")).to_be_visible()
    expect(page.get_by_text("norm 1.0000")).to_be_visible()
    assert barriers(visit) == []
    page.keyboard.press("Escape")
    expect(page.locator("dialog.drawer")).to_have_count(0)
    expect(page.locator("[data-hit]").first).to_be_focused()
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Escape")
    expect(page.locator("#query")).not_to_be_focused()


def test_chips_filter_and_what_finds_nothing_says_why(visit: Visit) -> None:
    page = visit.open(address("foxes"))
    facets = page.locator(".facet")
    facets.filter(has_text="kind").get_by_role("button", name=re.compile("^plain")).click()
    expect(page.get_by_text("5 of 8 documents pass")).to_be_visible()
    expect(page.locator("[data-hit]")).to_have_count(5)
    page.locator(hit(page, "plain/2")).get_by_role("button", name="lang en").click()
    expect(page.locator("[data-hit]")).to_have_count(1)
    visit.open(address("foxes", where=[["kind", "eq", "plain"], ["year", "gte", 2030]]))
    expect(page.get_by_text("0 of 8 documents pass the filter.")).to_be_visible()
    expect(page.get_by_text("Without year at least 2030, 5 pass.")).to_be_visible()
    assert barriers(visit) == []
    page.locator(".relax li", has_text="year").get_by_role("button", name="Remove it").click()
    expect(page.locator("[data-hit]")).to_have_count(5)
    page.get_by_role("button", name="Add a condition").click()
    page.locator("#condition-field").select_option(label="year")
    page.locator("#condition-operator").select_option(label="at least")
    page.locator("#condition-value").fill("2024")
    page.get_by_role("button", name="Add", exact=True).click()
    expect(page.locator("[data-hit]")).to_have_count(2)
    page.go_back()
    expect(page.locator("[data-hit]")).to_have_count(5)


def test_a_search_is_compared_with_the_exact_one_and_goes_on_from_a_document(visit: Visit) -> None:
    page = visit.open(address("foxes"))
    page.get_by_role("button", name="Compare").click()
    expect(page.get_by_text("100 % of the true 8 nearest documents")).to_be_visible()
    page.locator(hit(page, "plain/1")).get_by_role("link", name="Similar").click()
    expect(page.locator("[data-like]")).to_contain_text("Similar to plain/1")
    expect(page.locator("[data-hit]")).to_have_count(7)


@pytest.mark.parametrize("width", [WIDE, NARROW])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_documents_that_are_markup_are_shown_as_they_are(
    browser: Browser, service: Service, written: None, width: int, scheme: Literal["light", "dark"]
) -> None:
    with console(browser, service, width=width, scheme=scheme) as visit:
        page = visit.open(address("foxes"))
        for doc_id in (SCRIPT, IMAGE, "rtl/1", "emoji/🦊", "l" * 500):
            expect(page.locator(".hit-id", has_text=doc_id)).to_be_visible()
        expect(page.locator(".hit", has_text=RIGHT_TO_LEFT).locator(".hit-text")).to_have_css("direction", "rtl")
        expect(page.locator(".facet")).not_to_have_count(0)
        assert barriers(visit) == []
        page.locator(".hit-id", has_text=IMAGE).click()
        expect(page.locator("dialog.drawer")).to_contain_text(IMAGE)
        page.get_by_role("button", name="Show tokens").click()
        expect(page.locator(".token").first).to_be_visible()


def test_words_are_searched_where_the_namespace_keeps_them(visit: Visit) -> None:
    words = f"{NAMESPACE}-words"
    httpx.put(f"{visit.url}/v1/namespaces/{words}", json={"text_search": "english"}, timeout=30.0).raise_for_status()
    body = {"namespace": words, "documents": DOCUMENTS, "wait": "searchable"}
    ok(httpx.post(f"{visit.url}/v1/upsert", json=body, timeout=60.0))
    page = visit.open(address("owl"))
    expect(page.get_by_label("Search by").locator("option", has_text="words")).to_be_disabled()
    page = visit.open(address("owl", ns=words))
    expect(page.locator("[data-hit]")).to_have_count(8)
    page.get_by_label("Search by").select_option(label="words")
    expect(page.locator("[data-hit]")).to_have_count(2)
    expect(page.locator(hit(page, "plain/2")).locator("mark")).to_have_text("Owls")
    expect(page.get_by_text("Searching the words")).to_be_visible()
    page.get_by_label("Search by").select_option(label="both")
    expect(page.locator(hit(page, "plain/2"))).to_contain_text("by meaning")
    expect(page.locator(hit(page, "plain/2"))).to_contain_text("by words")
    assert barriers(visit) == []


def test_what_is_missing_or_old_in_an_answer_is_marked(visit: Visit) -> None:
    hits = [{"id": "a/1", "score": 0.5, "metadata": {"kind": "plain"}, "text": "Foxes.", "stale": True}]
    answer = {
        "hits": hits, "partial": True, "shards": {"total": 2, "ok": 1, "failed": [1]}, "timings_ms": {"total": 700.0},
        "model_id": "m", "model_version": 1, "ef_search": 100, "warnings": ["no document has a field '<b>'"],
    }  # fmt: skip
    visit.page.route("**/v1/search", lambda route: route.fulfill(json=answer))
    page = visit.open(address("foxes"))
    expect(page.locator(".hit .flag")).to_have_text("stale")
    expect(page.get_by_text("Shard 1 did not answer in time")).to_be_visible()
    expect(page.get_by_text("no document has a field '<b>'")).to_be_visible()
    visit.page.route("**/v1/search", lambda route: route.abort())
    page.get_by_role("button", name="Search").click()
    expect(page.get_by_text("The service does not answer")).to_be_visible()
    visit.page.unroute("**/v1/search")
    page.get_by_role("button", name="Try again").click()
    expect(page.locator("[data-hit]")).to_have_count(8)
    visit.forgive("ERR_FAILED")


def test_what_is_not_there_is_said_in_words(visit: Visit) -> None:
    page = visit.open("/console/?ns=console-nowhere&q=foxes")
    expect(page.get_by_text("nothing was ever written to namespace 'console-nowhere'").first).to_be_visible()
    visit.forgive("/v1/search", "/v1/namespaces/console-nowhere", "/v1/documents/query")
    page = visit.open("/console/nothing/")
    expect(page.get_by_text("There is no such page")).to_be_visible()
    visit.forgive("/console/nothing/")
    assert barriers(visit) == []
