"""The console in a browser, for the tests of its pages."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from playwright.sync_api import Browser, Page, expect

from tests.acceptance.browser import Visit
from tests.conftest import Service

AXE = (Path(__file__).parent / "axe" / "axe.min.js").read_text()
_RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
_FOUND = """async (tags) => (await axe.run(document, {runOnly: tags})).violations.map(
    (one) => one.id + ': ' + one.nodes.map((node) => node.html.slice(0, 160) + ' ' + node.failureSummary).join('; '))"""
WIDE, NARROW = 1280, 390
expect.set_options(timeout=60_000)


@contextmanager
def console(
    browser: Browser, service: Service, *, width: int = WIDE, scheme: Literal["light", "dark"] = "light"
) -> Iterator[Visit]:
    """A page of the console, which must not complain, load from elsewhere, run what documents hold, or be too wide."""
    permissions = ["clipboard-read", "clipboard-write"]
    with browser.new_context(
        viewport={"width": width, "height": 900}, color_scheme=scheme, permissions=permissions
    ) as context:
        visit = Visit(context.new_page(), service.url, service.var)
        yield visit
        assert visit.page.evaluate("window.taken") is None
        assert visit.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        visit.leave()


def copied(page: Page, press: Callable[[], None]) -> str:
    """What `press` has copied. A page may still write it when the click has returned."""
    nothing, until = "nothing was copied", time.monotonic() + 60
    page.evaluate("text => navigator.clipboard.writeText(text)", nothing)
    press()
    while (text := str(page.evaluate("navigator.clipboard.readText()"))) == nothing:
        assert time.monotonic() < until, nothing
        page.wait_for_timeout(20)
    return text


def barriers(visit: Visit) -> list[str]:
    """What axe finds in the page as it is now."""
    visit.page.evaluate(AXE + ";0")
    found: list[str] = visit.page.evaluate(_FOUND, _RULES)
    return found
