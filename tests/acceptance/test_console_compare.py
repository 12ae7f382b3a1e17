"""The comparison of the console: one query, several indexes, and how far documents move between them."""

import json
from collections.abc import Iterator
from typing import Literal
from urllib.parse import quote

import httpx
import pytest
from playwright.sync_api import Browser, expect

from tests.acceptance.browser import Visit, browser
from tests.acceptance.conftest import ok
from tests.acceptance.console import NARROW, WIDE, barriers, console
from tests.acceptance.hostile_documents import DOCUMENTS
from tests.conftest import Service

ONE, OTHER = "console-compare", "console-compare-half"
__all__ = ["browser"]


@pytest.fixture(scope="module")
def written(service: Service) -> None:
    for namespace, documents in ((ONE, DOCUMENTS), (OTHER, DOCUMENTS[-3:])):
        body = {"namespace": namespace, "documents": documents, "wait": "searchable"}
        ok(httpx.post(f"{service.url}/v1/upsert", json=body, timeout=60.0))


@pytest.fixture
def visit(browser: Browser, service: Service, written: None) -> Iterator[Visit]:
    with console(browser, service) as visit:
        yield visit


def address(query: str, *columns: tuple[str, str]) -> str:
    return f"/console/compare/?q={quote(query)}&in={quote(json.dumps(columns))}"


def test_the_same_index_twice_has_the_same_answer(visit: Visit) -> None:
    page = visit.open(address("where do foxes sleep?", (ONE, ""), (ONE, "1")))
    answer = page.get_by_label("Answer B")
    expect(answer.get_by_text("same place")).to_have_count(len(DOCUMENTS))
    expect(page.get_by_text("overlap@10 of A and B")).to_be_visible()
    expect(page.get_by_text("100 %")).to_be_visible()
    answer.locator("li").first.get_by_role("button").click()
    expect(page.locator("dialog.drawer")).to_contain_text("plain/1")


def test_another_index_moves_documents_and_a_third_joins(visit: Visit) -> None:
    page = visit.open(address("owls at night", (OTHER, ""), (ONE, "")))
    answer = page.get_by_label("Answer B")
    expect(answer.get_by_text("only here").first).to_be_visible()
    expect(page.locator(".rank-lines path")).to_have_count(3)
    page.get_by_role("button", name="Add").click()
    expect(page.get_by_label("Answer C")).to_be_visible()
    page.get_by_role("button", name="Remove A").click()
    expect(page.get_by_label("Answer C")).to_have_count(0)
    expect(page.get_by_label("Answer B").get_by_text("same place")).to_have_count(len(DOCUMENTS))


def test_namespaces_of_different_documents_are_not_compared_by_a_number(visit: Visit) -> None:
    stranger = {"namespace": "console-stranger", "id": "stranger", "text": "Trains are late.", "wait": "searchable"}
    ok(httpx.post(f"{visit.url}/v1/upsert", json=stranger, timeout=60.0))
    page = visit.open(address("owls at night", (ONE, ""), ("console-stranger", "")))
    expect(page.get_by_text("A and B cannot be compared")).to_be_visible()
    expect(page.get_by_text("overlap@10")).to_have_count(0)
    assert barriers(visit) == []


def test_an_index_that_is_not_there_says_so_beside_the_answer(visit: Visit) -> None:
    page = visit.open(address("owls", (ONE, ""), ("no-such", "")))
    expect(page.get_by_label("Answer A").locator("li").first).to_be_visible()
    expect(page.get_by_text("nothing was ever written to namespace 'no-such'")).to_be_visible()
    visit.forgive("404")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [WIDE, NARROW])
def test_nobody_is_shut_out(
    browser: Browser, service: Service, written: None, width: int, scheme: Literal["light", "dark"]
) -> None:
    with console(browser, service, width=width, scheme=scheme) as visit:
        page = visit.open(address("owls at night", (OTHER, ""), (ONE, ""), (ONE, "1")))
        expect(page.get_by_label("Answer C").locator("li").first).to_be_visible()
        assert barriers(visit) == []
