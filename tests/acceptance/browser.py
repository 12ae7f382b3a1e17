"""Pages in a real browser, which must not complain and must load nothing from elsewhere."""

import json
import os
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, Request, sync_playwright

from embedding_project.config import INSTANCE_FILE

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
ARGUMENTS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--no-first-run",
    "--disable-component-update",
    "--disable-sync",
)


@dataclass
class Visit:
    """A page, and what it did that it must not do."""

    page: Page
    url: str
    var: Path
    complaints: list[str] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.on("console", self._hear)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", self._see)

    def _hear(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(f"{message.text} {message.location}")

    def _see(self, request: Request) -> None:
        if not request.url.startswith((self.url, "data:")):
            self.foreign.append(request.url)

    def open(self, path: str) -> Page:
        self.page.goto(self.url + path)
        return self.page

    def forgive(self, *words: str) -> None:
        """Forget one complaint with each of the words, as of a refusal that the test wanted. The browser may complain
        of it when the page has long shown it."""
        until = time.monotonic() + 60
        for word in words:
            while not (said := [complaint for complaint in self.complaints if word in complaint]):
                assert time.monotonic() < until, (word, self.complaints)
                self.page.wait_for_timeout(20)
            self.complaints.remove(said[0])

    def leave(self) -> None:
        self.page.close()
        assert self.complaints == []
        assert self.foreign == []

    def database(self) -> "psycopg.Connection[tuple[object, ...]]":
        environment = json.loads((self.var / INSTANCE_FILE).read_text())["environment"]
        return psycopg.connect(environment["DATABASE_URL"], autocommit=True)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if CHROMIUM is None:
        assert not os.environ.get("REQUIRE_BROWSER"), "REQUIRE_BROWSER is set, and there is no Chromium on the PATH"
        pytest.skip("needs Chromium: apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(ARGUMENTS))
        yield browser
        browser.close()
