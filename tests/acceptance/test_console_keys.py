"""The page of keys: the first key, which ends keyless use; keys that are made, used and revoked; who may do so."""

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from supervisor.launch import running_instance
from tests.acceptance.browser import browser
from tests.acceptance.console import NARROW, WIDE, barriers, console
from tests.conftest import Service, free_port, outside_environment, scratch_directory

HOSTILE = '<img src=x onerror="window.taken=1">\u202ekey'
PICTURES = os.environ.get("PICTURES")
__all__ = ["browser"]


@pytest.fixture(scope="module")
def keyless() -> Iterator[Service]:
    """An instance of its own, without a key."""
    var = scratch_directory()
    environ = outside_environment(var) | {"SHARDS": "1", "REPLICAS": "1"}
    with running_instance(var=var, port=free_port(), environ=environ) as url:
        yield Service(url, var)


@pytest.fixture(scope="module")
def first_key(browser: Browser, keyless: Service) -> str:
    """Made on the page, by somebody who reads what it ends."""
    with console(browser, keyless) as visit:
        page = visit.open("/console/keys/")
        expect(page.get_by_text("The first key ends that, for good")).to_be_visible()
        page.get_by_role("button", name="Make a key").click()
        page.get_by_label("Who uses it").fill("first")
        expect(page.get_by_text("This is the first key.")).to_be_visible()
        assert barriers(visit) == []
        page.get_by_role("button", name="Make the key").click()
        expect(page.get_by_text("I know that keyless use ends")).to_be_visible()
        page.get_by_label("I know that keyless use ends").check()
        page.get_by_role("button", name="Make the key").click()
        secret = page.locator("[data-secret]").inner_text()
        until = time.monotonic() + 60
        while httpx.get(f"{keyless.url}/v1/models").status_code == 200 and time.monotonic() < until:
            time.sleep(0.1)
        page.get_by_role("button", name="I have copied it").click()
        expect(page.get_by_label("Username")).to_be_visible()
    return secret


def signed_in(page: Page, var: Path) -> None:
    page.get_by_label("Username").fill("admin")
    page.get_by_label("Password").fill(json.loads((var / "secrets.json").read_text())["admin_password"])
    page.get_by_role("button", name="Log in").click()


def asked(service: Service, key: str, method: str = "GET", path: str = "/v1/keys") -> httpx.Response:
    return httpx.request(method, service.url + path, headers={"Authorization": f"Bearer {key}"}, timeout=30)


def test_the_first_key_works_and_makes_no_other(keyless: Service, first_key: str) -> None:
    assert httpx.get(f"{keyless.url}/v1/models").status_code == 401
    assert asked(keyless, first_key, path="/v1/models").status_code == 200
    for method, path in (("GET", "/v1/keys"), ("POST", "/v1/keys"), ("DELETE", "/v1/keys/0000000000")):
        answer = asked(keyless, first_key, method, path)
        assert (answer.status_code, answer.json()["error"]["code"]) == (403, "forbidden_scope")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [WIDE, NARROW])
def test_a_key_is_made_shown_once_used_and_revoked(
    browser: Browser, keyless: Service, first_key: str, width: int, scheme: Literal["light", "dark"]
) -> None:
    name = f"{HOSTILE} {scheme} {width}"
    with console(browser, keyless, width=width, scheme=scheme) as visit:
        page = visit.open("/console/keys/")
        signed_in(page, keyless.var)
        expect(page.get_by_role("rowheader", name="first")).to_be_visible()
        page.get_by_role("button", name="Make a key").click()
        page.get_by_label("Who uses it").fill(name)
        page.get_by_label("Namespaces").fill("BAD")
        page.get_by_role("button", name="Make the key").click()
        expect(page.get_by_text("is not the name of a namespace")).to_be_visible()
        visit.forgive("400")
        page.get_by_label("Namespaces").fill("products, animals")
        _pictured(page, f"form-{width}-{scheme}")
        assert barriers(visit) == []
        page.get_by_role("button", name="Make the key").click()
        secret = page.locator("[data-secret]").inner_text()
        for example in ("OpenAI", "LangChain", "curl"):
            page.get_by_role("button", name=example, exact=True).click()
            expect(page.locator("pre.snippet")).to_contain_text(secret)
        _pictured(page, f"secret-{width}-{scheme}")
        for _ in range(3):
            page.keyboard.press("Escape")
        page.mouse.click(5, 5)
        expect(page.locator("[data-secret]")).to_have_text(secret)
        assert barriers(visit) == []
        copied = page.get_by_role("button", name="I have copied it")
        assert copied.evaluate("(button) => (button.click(), document.querySelector('[data-secret]'))") is None
        row = page.get_by_role("row").filter(has_text=secret.split("_")[1])
        expect(row).to_contain_text("active")
        expect(row).to_contain_text(name)
        assert secret not in page.content()
        assert asked(keyless, secret, path="/v1/models").status_code == 200
        _pictured(page, f"list-{width}-{scheme}")
        assert barriers(visit) == []
        row.get_by_role("button", name="Revoke").click()
        page.get_by_role("dialog").get_by_role("button", name="Revoke").click()
        expect(row).to_contain_text("revoked")
    until = time.monotonic() + 60
    while (status := asked(keyless, secret, path="/v1/models").status_code) != 401 and time.monotonic() < until:
        time.sleep(0.2)
    assert status == 401


def _pictured(page: Page, name: str) -> None:
    if PICTURES:
        page.screenshot(path=f"{PICTURES}/keys-{name}.png")
