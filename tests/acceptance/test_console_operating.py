"""The pages of the console about the service: what goes on, and the cluster."""

from collections.abc import Iterator
from typing import Literal

import httpx
import pytest
from playwright.sync_api import Browser, expect

from tests.acceptance.browser import Visit, browser
from tests.acceptance.conftest import ok
from tests.acceptance.console import NARROW, WIDE, barriers, console
from tests.conftest import REPLICAS, SHARDS, Service

NAMESPACE = "console-operating"
ADDRESSES = ("/console/activity/", "/console/cluster/")
__all__ = ["browser"]


@pytest.fixture(scope="module")
def written(service: Service) -> None:
    with httpx.Client(base_url=service.url, timeout=60.0) as http:
        document = {"id": "owl", "text": "Owls hunt at night.", "metadata": {"lang": "en"}}
        ok(http.post("/v1/upsert", json={"namespace": NAMESPACE, **document, "wait": "searchable"}))


@pytest.fixture
def visit(browser: Browser, service: Service, written: None) -> Iterator[Visit]:
    with console(browser, service) as visit:
        yield visit


def test_a_search_that_finds_nothing_is_shown_without_what_was_asked(visit: Visit) -> None:
    page = visit.open(ADDRESSES[0])
    expect(page.get_by_role("heading", name="Texts for all-MiniLM-L6-v2 v1")).to_be_visible()
    secret = "an owl that nobody shall know of"
    body = {"namespace": NAMESPACE, "query": secret, "filters": {"lang": "nobody's"}}
    row = page.get_by_role("row").filter(has_text=NAMESPACE)
    expect(row.first).not_to_be_attached()
    ok(httpx.post(f"{visit.url}/v1/search", json=body, timeout=60.0))
    expect(row.first).to_contain_text("found nothing")
    expect(row.first).to_contain_text("lang")
    expect(row.first).to_contain_text("not kept")
    assert secret not in page.content()
    assert "nobody's" not in page.content()


def test_every_shard_and_replica_has_its_place(visit: Visit) -> None:
    page = visit.open(ADDRESSES[1])
    for shard in range(SHARDS):
        places = page.get_by_label(f"Shard {shard}", exact=True)
        for replica in range(REPLICAS):
            expect(places.get_by_role("heading", name=f"Replica {replica}").first).to_be_visible()
        expect(places.get_by_text("ready", exact=True).first).to_be_visible()
    expect(page.get_by_text("tokens wait").first).to_be_visible()


@pytest.mark.parametrize("address", ADDRESSES)
@pytest.mark.parametrize(("width", "scheme"), [(WIDE, "light"), (NARROW, "dark")])
def test_nobody_is_shut_out(
    browser: Browser, service: Service, written: None, width: int, scheme: Literal["light", "dark"], address: str
) -> None:
    with console(browser, service, width=width, scheme=scheme) as visit:
        page = visit.open(address)
        expect(page.locator(".work .card").first).to_be_visible()
        assert barriers(visit) == []
