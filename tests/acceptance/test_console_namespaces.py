"""Which namespace a page opens, and that all pages give it the same number of documents."""

import json
import random
from collections.abc import Iterator

import httpx
import pytest
from playwright.sync_api import Browser, Route, expect

from tests.acceptance.browser import Visit, browser
from tests.acceptance.conftest import ok
from tests.acceptance.console import console
from tests.conftest import EXTERNAL_DIMENSION, Service

FULL, EMPTY = "console-counted", "console-empty"
DOCUMENTS = 1_005
"""More than a list of namespaces counts."""
__all__ = ["browser"]


@pytest.fixture(scope="module")
def written(service: Service, external_model: str) -> None:
    numbers = random.Random(1337)
    documents = [
        {"id": f"{number:04}", "vector": [numbers.random() for _ in range(EXTERNAL_DIMENSION)]}
        for number in range(DOCUMENTS)
    ]
    with httpx.Client(base_url=service.url, timeout=60.0) as http:
        for at in range(0, DOCUMENTS, 256):
            part = {"documents": documents[at : at + 256], "wait": "searchable"}
            ok(http.post("/v1/upsert", json={"namespace": FULL, "model_id": external_model, **part}))
        http.put(f"/v1/namespaces/{EMPTY}", json={}).raise_for_status()


@pytest.fixture
def visit(browser: Browser, service: Service, written: None) -> Iterator[Visit]:
    with console(browser, service) as visit:
        yield visit


def test_a_full_namespace_is_opened_although_an_empty_one_was_looked_at_last(visit: Visit) -> None:
    for page_path in ("/console/", "/console/documents/", "/console/map/"):
        page = visit.open("/console/embed/")
        page.evaluate(f"localStorage.setItem('console-namespace', {json.dumps(EMPTY)})")
        page = visit.open(page_path)
        chosen = page.locator("#namespace")
        expect(chosen).to_be_visible()
        assert ok(httpx.get(f"{visit.url}/v1/namespaces/{chosen.input_value()}", timeout=30.0))["count"] > 0
    page = visit.open(f"/console/?ns={EMPTY}")
    expect(page.get_by_text("This namespace is empty")).to_be_visible()


def test_all_pages_give_the_same_number(visit: Visit) -> None:
    listed = ok(httpx.get(f"{visit.url}/v1/namespaces?limit=100", timeout=30.0))["namespaces"]
    assert [one["count_is_exact"] for one in listed if one["name"] == FULL] == [False]

    def stop_early(route: Route) -> None:
        status = ok(httpx.get(route.request.url, timeout=30.0))
        route.fulfill(json={**status, "count": 1_000, "searchable": 1_000, "count_is_exact": False})

    # As the status of a namespace of more than 100,000 documents stops.
    visit.page.route(f"**/v1/namespaces/{FULL}", stop_early)
    page = visit.open("/console/home/")
    expect(page.locator(f"tr[data-namespace={FULL}] td").first).to_have_text("1,005")
    page = visit.open("/console/models/")
    expect(page.locator("a.chip", has_text=FULL)).to_have_text(f"{FULL}1,005")
    page = visit.open(f"/console/?ns={FULL}")
    expect(page.get_by_text("Search 1,005 documents")).to_be_visible()
    page = visit.open(f"/console/documents/?ns={FULL}")
    expect(page.locator("[data-passing]")).to_have_text("1,005 documents")
