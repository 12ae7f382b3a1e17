"""The API page: every route to find, to copy as a request that works, and to try."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from typing import Any, Literal

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from tests.acceptance.browser import Visit, browser
from tests.acceptance.conftest import ok
from tests.acceptance.console import NARROW, WIDE, barriers, console, copied
from tests.conftest import Service

NAMESPACE = "console-api"
HOSTILE = "<img src=x onerror=window.taken=1>"
ADDRESS = f"/console/api/?ns={NAMESPACE}"
PICTURES = os.environ.get("PICTURES")
__all__ = ["browser"]


@pytest.fixture(scope="module")
def written(service: Service) -> None:
    document = {"id": "owl", "text": f"Owls hunt at night. {HOSTILE}"}
    body = {"namespace": NAMESPACE, **document, "wait": "searchable"}
    ok(httpx.post(f"{service.url}/v1/upsert", json=body, timeout=60.0))


@pytest.fixture
def visit(browser: Browser, service: Service, written: None) -> Iterator[Visit]:
    with console(browser, service) as visit:
        yield visit


def copied_as(page: Page, name: str) -> str:
    return copied(page, page.get_by_role("button", name=f"Copy as {name}").click)


def operations(service: Service) -> list[tuple[str, str, dict[str, Any]]]:
    paths = ok(httpx.get(f"{service.url}/v1/openapi.json", timeout=30.0))["paths"]
    return [(method.upper(), path, told) for path, methods in paths.items() for method, told in methods.items()]


def test_every_route_is_there_and_can_be_copied(visit: Visit, service: Service) -> None:
    page = visit.open(ADDRESS)
    told = operations(service)
    expect(page.locator(".route")).to_have_count(len(told))
    for method, path, operation in told:
        page.locator(f".route[href='?op={operation['operationId']}']").click()
        expect(page.locator(".route-title")).to_have_text(operation["summary"])
        for given in page.locator(".try-parameters input").all():
            if given.get_attribute("required") is not None:
                given.fill("7")
        curl, python = copied_as(page, "curl"), copied_as(page, "Python")
        compile(python, path, "exec")
        for text in (curl, python):
            assert service.url + path.split("{")[0] in text
            assert "{" not in text.split(service.url)[1].split("'")[0].split('"')[0]
        assert f'"{method}"' in python


def test_what_is_copied_works(visit: Visit) -> None:
    page = visit.open(f"{ADDRESS}&op=search")
    expect(page.get_by_label("Body, as JSON")).to_have_value(re.compile(f'"namespace": "{NAMESPACE}"'))
    done = subprocess.run(["sh", "-c", copied_as(page, "curl")], capture_output=True, text=True, timeout=60, check=True)
    assert [hit["id"] for hit in json.loads(done.stdout)["hits"]] == ["owl"]
    for operation, said in (("search", "'owl'"), ("metrics", "# HELP")):
        page = visit.open(f"{ADDRESS}&op={operation}")
        program = [sys.executable, "-c", copied_as(page, "Python")]
        assert said in subprocess.run(program, capture_output=True, text=True, timeout=60, check=True).stdout


def test_a_request_is_written_sent_and_shared_by_its_address(visit: Visit) -> None:
    page = visit.open(ADDRESS)
    page.keyboard.press("/")
    page.keyboard.type("count documents")
    page.get_by_role("link", name="/v1/documents/count").click()
    body = page.get_by_label("Body, as JSON")
    body.fill("{")
    page.get_by_role("button", name="Send").click()
    expect(page.get_by_text("The body is no JSON")).to_be_visible()
    body.fill(json.dumps({"namespace": NAMESPACE}))
    page.get_by_role("group", name="Add a field").get_by_role("button", name="filters").click()
    assert set(json.loads(body.input_value())) == {"namespace", "filters"}
    body.fill(json.dumps({"namespace": NAMESPACE}))
    page.get_by_role("button", name="Send").click()
    answer = page.locator("[data-answer]")
    expect(answer.locator(".flag")).to_have_text("200")
    expect(answer).to_contain_text('"count": 1')
    page.goto(page.url)
    expect(body).to_have_value(json.dumps({"namespace": NAMESPACE}))
    page.go_back()
    expect(page.locator(".route-title")).to_have_text("Search by meaning, by words, or by both")


def test_an_error_is_shown_as_it_came_and_markup_stays_text(visit: Visit) -> None:
    page = visit.open(f"{ADDRESS}&op=get_document")
    page.get_by_role("button", name="Copy as curl").click()
    expect(page.get_by_text("doc_id is needed")).to_be_visible()
    page.get_by_label("doc_id").fill("owl")
    page.get_by_role("button", name="Send").click()
    expect(page.locator("[data-answer]")).to_contain_text(HOSTILE)
    page.get_by_label("doc_id").fill("no/such owl")
    page.get_by_role("button", name="Send").click()
    expect(page.locator("[data-answer] .flag")).to_have_text("404")
    visit.forgive("404")


def test_what_takes_away_asks_first(visit: Visit) -> None:
    made = f"{NAMESPACE}-goes"
    httpx.put(f"{visit.url}/v1/namespaces/{made}", json={}, timeout=30.0).raise_for_status()
    page = visit.open(f"/console/api/?ns={made}&op=drop_namespace")
    page.get_by_role("button", name="Send").click()
    expect(page.get_by_text(f"Send DELETE /v1/namespaces/{made}?")).to_be_visible()
    assert barriers(visit) == []
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    assert httpx.get(f"{visit.url}/v1/namespaces/{made}", timeout=30.0).status_code == 200
    page.get_by_role("button", name="Send").click()
    page.get_by_role("dialog").get_by_role("button", name="Send").click()
    expect(page.locator("[data-answer] .flag")).to_have_text("200")
    assert httpx.get(f"{visit.url}/v1/namespaces/{made}", timeout=30.0).status_code == 404


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [WIDE, NARROW])
def test_nobody_is_shut_out(
    browser: Browser, service: Service, written: None, width: int, scheme: Literal["light", "dark"]
) -> None:
    with console(browser, service, width=width, scheme=scheme) as visit:
        page = visit.open(ADDRESS)
        page.get_by_role("button", name="Send").click()
        expect(page.locator("[data-answer] .flag")).to_have_text("200")
        page.locator(".answer summary").first.click()
        if PICTURES:
            page.screenshot(path=f"{PICTURES}/api-{width}-{scheme}.png")
        assert barriers(visit) == []
        page.locator(".route[href='?op=get_document']").click()
        expect(page.get_by_label("doc_id")).to_be_visible()
        assert barriers(visit) == []
