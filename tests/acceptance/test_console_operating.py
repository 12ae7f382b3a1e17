"""The pages of the console about the service: what goes on, and the cluster."""

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import httpx
import pytest
from playwright.sync_api import Browser, Page, Route, expect

from tests.acceptance.browser import Visit, browser
from tests.acceptance.conftest import ok
from tests.acceptance.console import NARROW, WIDE, barriers, console
from tests.conftest import REPLICAS, SHARDS, Service

NAMESPACE = "console-operating"
ADDRESSES = ("/console/activity/", "/console/cluster/")
PICTURES = os.environ.get("PICTURES")
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
    place = page.locator("article.place").first
    for name in ("Memory of the node", "It may still take"):
        expect(place.locator("dt", has_text=name).locator("+ dd")).to_have_text(re.compile(r"^\d[\d.,]* [MG]iB$"))
    expect(place.locator("dt", has_text="A vector").locator("+ dd")).to_have_text(
        re.compile(r"^\d[\d.,]* (KiB|bytes)$")
    )


def test_backups_are_shown_while_they_are_made_and_afterwards(visit: Visit, service: Service, tmp_path: Path) -> None:
    service.manage("backup", str(tmp_path / "monday"), "--without-models")
    page = visit.open(ADDRESSES[0])
    made = page.locator("article.card", has_text=str(tmp_path / "monday"))
    expect(made.locator(".flag")).to_have_text("made")
    expect(made).to_contain_text("ended")
    running = {
        "directory": "/backups/<b>tuesday</b>",
        "actor": "command:root",
        "state": "running",
        "problem": "",
        "stage": "copying",
        "share": 0.42,
        "bytes": 3 * 2**30,
        "bytes_per_second": 65e6,
        "seconds_left": 68.0,
        "started_at": "2026-01-31T12:00:00+00:00",
        "ended_at": None,
    }

    def add_one(route: Route) -> None:
        answer = ok(httpx.get(route.request.url, timeout=30.0))
        route.fulfill(json={**answer, "backups": [running, *answer["backups"]]})

    visit.page.route("**/v1/activity", add_one)
    card = page.locator("article.card", has_text="/backups/<b>tuesday</b>")
    expect(card).to_contain_text("copying · 42 % of it · 3.0 GiB · 62 MiB/s · 68 s left")
    expect(card.get_by_role("img", name="42 % of copying")).to_be_visible()
    assert barriers(visit) == []
    pictured(page, "backups")


def pictured(page: Page, name: str) -> None:
    if PICTURES:
        page.screenshot(path=f"{PICTURES}/operating-{name}.png")


@pytest.mark.parametrize("address", ADDRESSES)
@pytest.mark.parametrize("width", [WIDE, NARROW])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nobody_is_shut_out(
    browser: Browser, service: Service, written: None, width: int, scheme: Literal["light", "dark"], address: str
) -> None:
    with console(browser, service, width=width, scheme=scheme) as visit:
        page = visit.open(address)
        expect(page.locator(".work .card").first).to_be_visible()
        pictured(page, f"{address.split('/')[2]}-{width}-{scheme}")
        assert barriers(visit) == []
