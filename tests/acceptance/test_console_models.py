"""The models in the console: versions, states, probes, and who uses them."""

from typing import Literal

import httpx
import pytest
from playwright.sync_api import Browser, expect

from tests.acceptance.browser import browser
from tests.acceptance.conftest import ok
from tests.acceptance.console import NARROW, WIDE, barriers, console
from tests.conftest import Service

NAMESPACE = "console-models"
__all__ = ["browser"]


@pytest.fixture(scope="module")
def written(service: Service) -> None:
    body = {"namespace": NAMESPACE, "id": "owl", "text": "Owls hunt at night.", "wait": "searchable"}
    ok(httpx.post(f"{service.url}/v1/upsert", json=body, timeout=60.0))


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [WIDE, NARROW])
def test_a_model_says_what_it_is_and_who_uses_it(
    browser: Browser, service: Service, written: None, width: int, scheme: Literal["light", "dark"]
) -> None:
    with console(browser, service, width=width, scheme=scheme) as visit:
        page = visit.open("/console/models/")
        model = page.get_by_label("all-MiniLM-L6-v2", exact=True)
        expect(model.get_by_role("heading", name="Version 1", exact=True)).to_be_visible()
        expect(model.get_by_text("active", exact=True).first).to_be_visible()
        expect(model.get_by_text("256 tokens").first).to_be_visible()
        expect(model.get_by_text("used by")).to_be_visible()
        assert barriers(visit) == []
