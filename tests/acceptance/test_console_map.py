"""The map of the console: points that can be hovered, opened, chosen and coloured, and a query among them."""

from collections.abc import Iterator
from typing import Any, Literal

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from tests.acceptance.browser import Visit, browser
from tests.acceptance.conftest import ok
from tests.acceptance.console import NARROW, WIDE, barriers, console
from tests.acceptance.hostile_documents import DOCUMENTS
from tests.conftest import Service

NAMESPACE = "console-map"
ADDRESS = f"/console/map/?ns={NAMESPACE}"
__all__ = ["browser"]


@pytest.fixture(scope="module")
def written(service: Service) -> None:
    body = {"namespace": NAMESPACE, "documents": DOCUMENTS, "wait": "searchable"}
    ok(httpx.post(f"{service.url}/v1/upsert", json=body, timeout=60.0))


@pytest.fixture
def visit(browser: Browser, service: Service, written: None) -> Iterator[Visit]:
    with console(browser, service) as visit:
        yield visit


def ready(page: Page, count: int = len(DOCUMENTS)) -> None:
    expect(page.get_by_role("img", name=f"Map of {count} documents")).to_be_visible()


def place_of(visit: Visit, doc_id: str) -> tuple[float, float]:
    """Where the document lies in the window: the map shows all places with one scale, and a margin of 6 % at least."""
    found: dict[str, Any] = ok(httpx.post(f"{visit.url}/v1/documents/map", json={"namespace": NAMESPACE}, timeout=60.0))
    spots = {spot["id"]: (spot["x"], spot["y"]) for spot in found["documents"]}
    box = visit.page.locator(".map-frame canvas").bounding_box()
    assert box
    ends = [(min(values), max(values)) for values in zip(*spots.values(), strict=True)]
    (left, right), (low, high) = ends
    scale = 0.88 / max((right - left) / box["width"], (high - low) / box["height"])
    x, y = spots[doc_id]
    return (
        box["x"] + box["width"] / 2 + (x - (left + right) / 2) * scale,
        box["y"] + box["height"] / 2 - (y - (low + high) / 2) * scale,
    )


def test_a_point_says_its_text_and_opens_its_document(visit: Visit) -> None:
    page = visit.open(ADDRESS)
    ready(page)
    expect(page.get_by_text("All 8 documents.")).to_be_visible()
    page.mouse.move(*place_of(visit, "plain/1"))
    expect(page.locator(".map-tip")).to_contain_text("Foxes live in dens.")
    page.mouse.click(*place_of(visit, "plain/1"))
    expect(page.locator("dialog.drawer")).to_contain_text("plain/1")


def test_a_lasso_chooses_and_a_drag_moves(visit: Visit) -> None:
    page = visit.open(ADDRESS)
    ready(page)
    x, y = place_of(visit, "plain/1")
    page.get_by_role("button", name="Lasso").click()
    page.mouse.move(x - 12, y - 12)
    page.mouse.down()
    for dx, dy in ((12, -12), (12, 12), (-12, 12), (-12, -12)):
        page.mouse.move(x + dx, y + dy, steps=3)
    page.mouse.up()
    expect(page.get_by_role("status").filter(has_text="in the lasso")).to_be_visible()
    expect(page.get_by_label("Chosen documents").get_by_text("plain/1")).to_be_visible()
    page.get_by_role("button", name="Move").click()
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 3_000, y, steps=6)
    page.mouse.up()
    page.get_by_role("button", name="List what is in view").click()
    expect(page.get_by_text("0 documents in view")).to_be_visible()
    page.get_by_role("button", name="Show all").click()
    page.get_by_role("button", name="List what is in view").click()
    expect(page.get_by_text("8 documents in view")).to_be_visible()


def test_the_keys_move_and_zoom(visit: Visit) -> None:
    page = visit.open(ADDRESS)
    ready(page)
    page.locator(".map-frame canvas").focus()
    for _ in range(30):
        page.keyboard.press("ArrowRight")
    page.get_by_role("button", name="List what is in view").click()
    expect(page.get_by_text("0 documents in view")).to_be_visible()
    page.locator(".map-frame canvas").focus()
    page.keyboard.press("0")
    page.get_by_role("button", name="List what is in view").click()
    expect(page.get_by_text("8 documents in view")).to_be_visible()


def test_a_query_lies_among_the_documents_and_the_address_has_it(visit: Visit) -> None:
    page = visit.open(ADDRESS)
    ready(page)
    page.locator("#query").fill("where do foxes sleep?")
    page.get_by_role("button", name="Drop").click()
    expect(page.locator(".legend")).to_contain_text("where do foxes sleep?")
    assert "q=where" in page.url
    page.get_by_label("Colour by").select_option("lang")
    expect(page.locator(".legend li").first).to_be_visible()
    expect(page.get_by_role("heading", name="Coloured by lang")).to_be_visible()
    visit.open(page.url.removeprefix(visit.url))
    expect(page.get_by_role("heading", name="Coloured by lang")).to_be_visible()
    expect(page.locator(".legend")).to_contain_text("where do foxes sleep?")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [WIDE, NARROW])
def test_nobody_is_shut_out(
    browser: Browser, service: Service, written: None, width: int, scheme: Literal["light", "dark"]
) -> None:
    with console(browser, service, width=width, scheme=scheme) as visit:
        page = visit.open(f"{ADDRESS}&field=lang&q=foxes")
        ready(page)
        page.get_by_role("button", name="List what is in view").click()
        assert barriers(visit) == []
