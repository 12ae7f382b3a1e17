"""The admin in a real browser, as its users meet it. The instance is its own: keys are made here, and they count."""

import json
import re
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from supervisor.launch import running_instance
from tests.acceptance.browser import Visit, browser
from tests.acceptance.conftest import ok
from tests.conftest import PATIENT, free_port, outside_environment, scratch_directory

PAGES = "/admin/embeddings_app/"
REFRESHED_MS = 60_000
MODEL = "all-MiniLM-L6-v2"
__all__ = ["browser"]


@pytest.fixture(scope="module")
def instance(browser: Browser) -> Iterator[tuple[str, Path]]:
    """1 x 1, with a few documents, and an administrator."""
    var = scratch_directory()
    environ = outside_environment(var) | PATIENT | {"SHARDS": "1", "REPLICAS": "1"}
    with running_instance(var=var, port=free_port(), environ=environ) as url:
        documents = [{"id": f"fox/{number}", "text": f"A fox near river {number}."} for number in range(3)]
        ok(httpx.post(f"{url}/v1/upsert", json={"documents": documents, "wait": "searchable"}, timeout=60.0))
        yield url, var


@pytest.fixture(scope="module")
def logged_in(browser: Browser, instance: tuple[str, Path]) -> Iterator[BrowserContext]:
    url, var = instance
    with browser.new_context(viewport={"width": 1280, "height": 900}) as context:
        visit = Visit(context.new_page(), url, var)
        page = visit.open("/admin/")
        sign_in(page, "admin", json.loads((var / "secrets.json").read_text())["admin_password"])
        expect(page.locator("#dashboard")).to_be_visible()
        visit.leave()
        yield context


@pytest.fixture
def visit(logged_in: BrowserContext, instance: tuple[str, Path]) -> Iterator[Visit]:
    visit = Visit(logged_in.new_page(), *instance)
    yield visit
    visit.leave()


def search(url: str, query: str) -> None:
    ok(httpx.post(f"{url}/v1/search", json={"query": query}, timeout=30.0))


def test_the_dashboard_shows_searches_as_they_happen(visit: Visit) -> None:
    page = visit.open("/admin/")
    expect(page.locator("[data-tile=replicas]")).to_have_text("1 of 1")
    expect(page.locator("[data-tile=pending]")).to_have_text("0")
    tile = page.locator("[data-tile=searches]")
    expect(tile).to_have_text(re.compile(r"\d"), timeout=REFRESHED_MS)
    until = time.monotonic() + REFRESHED_MS / 1000
    while (shown := tile.inner_text()) in ("0.0", "…") and time.monotonic() < until:
        search(visit.url, "where do foxes live?")
        page.wait_for_timeout(200)
    assert float(shown) > 0
    row = page.locator("[data-routes] tr", has_text="/v1/search")
    expect(row.locator("td").nth(3)).to_have_text(re.compile(r"^[\d.,]+ ms$"), timeout=REFRESHED_MS)
    assert page.evaluate("Object.keys(Chart.instances).length") == 2


def test_every_page_opens_without_a_complaint(visit: Visit) -> None:
    page = visit.open("/admin/")
    links = page.locator("#nav-sidebar-apps a").evaluate_all("links => links.map(link => link.getAttribute('href'))")
    assert len(links) == 18
    for link in links:
        page.goto(visit.url + link)
        expect(page.locator("#content")).to_be_visible()
        if any(app in link for app in ("_app/", "/auth/", "_beat/")):
            assert page.locator("#nav-sidebar-apps a.active").inner_text().split("\n")[-1] in crumbs(page), link
        assert "Server Error" not in page.content()
        wide = "tables => tables.filter(table => table.scrollWidth > table.clientWidth).length"
        assert page.locator(".ops-scroll").evaluate_all(wide) == 0, link


def test_a_model_version_is_registered_probed_and_activated(visit: Visit) -> None:
    page = visit.open(f"{PAGES}modelregistry/add/")
    page.fill("[name=model_id]", "browser-made")
    page.select_option("[name=type]", "external")
    page.fill("[name=dimension]", "4")
    page.click("[name=_save]")
    page.get_by_role("link", name="browser-made").last.click()
    expect(page.get_by_role("link", name="Switch to it")).to_have_count(0)
    for link, button, said in (("Probe", "Probe", "dimension 4"), ("Switch to it", "Switch", "answers now")):
        page.get_by_role("link", name=link).click()
        page.get_by_role("button", name=button, exact=True).click()
        expect(page.get_by_text(said).first).to_be_visible()
    listed = ok(httpx.get(f"{visit.url}/v1/models", timeout=30.0))["models"]
    models = {model["model_id"]: model["status"] for model in listed}
    assert models["browser-made"] == "active"


def crumbs(page: Page) -> list[str]:
    return [text.strip() for text in page.locator(".tracking-tight").all_inner_texts() if text.strip()]


def test_a_document_is_found_by_the_beginning_of_its_id(visit: Visit) -> None:
    page = visit.open(f"{PAGES}document/")
    page.fill("#searchbar", "fox/2")
    page.press("#searchbar", "Enter")
    page.get_by_role("link", name="fox/2").click()
    expect(page.get_by_text("A fox near river 2.").first).to_be_visible()
    assert crumbs(page)[-3:] == ["Embeddings", "Documents", "fox/2"]
    expect(page.get_by_text("all-MiniLM-L6-v2 v1").first).to_be_visible()


def test_a_page_that_is_not_there_leads_back(visit: Visit) -> None:
    page = visit.open("/admin/nothing/")
    expect(page.locator("#content").get_by_role("heading", name="There is no such page")).to_be_visible()
    expect(page.locator("#nav-sidebar-apps")).to_be_visible()
    visit.forgive("404")
    page.get_by_role("link", name="To the dashboard").click()
    expect(page.locator("#dashboard")).to_be_visible()


def test_long_names_push_nothing_off_a_page(visit: Visit) -> None:
    long_id = "x" * 512
    written = {"documents": [{"id": long_id, "text": "A document with a long id."}], "wait": "searchable"}
    ok(httpx.post(f"{visit.url}/v1/upsert", json=written, timeout=60.0))
    fits = "document.documentElement.scrollWidth <= innerWidth"
    page = visit.page
    for path in ("/admin/auth/user/1/change/", "/admin/auth/group/1/change/", f"{PAGES}document/"):
        visit.open(path)
        expect(page.locator("#content")).to_be_visible()
        assert page.evaluate(fits), path
    last = page.get_by_role("row").filter(has_text=long_id).locator("td").last
    assert last.bounding_box()["x"] < 1280  # type: ignore[index]  # it is visible, so it has one
    ok(httpx.request("DELETE", f"{visit.url}/v1/vectors/{long_id}", timeout=30.0))


def test_history_is_offered_where_the_admin_wrote_one(visit: Visit) -> None:
    page = visit.open(f"{PAGES}document/")
    page.locator("#result_list tbody th a").first.click()
    expect(page.get_by_text("Doc id")).to_be_visible()
    history = page.locator("a[href$='/history/']")
    expect(history).to_have_count(0)
    page.goto(f"{visit.url}{PAGES}namespace/")
    page.locator("#result_list tbody th a").first.click()
    expect(history).to_have_count(0)
    page.get_by_role("button", name="Save", exact=True).click()
    page.locator("#result_list tbody th a").first.click()
    history.click()
    expect(page.get_by_text("No fields changed").or_(page.get_by_text("Changed")).first).to_be_visible()


def test_a_quarantined_record_gets_another_try(visit: Visit) -> None:
    with visit.database() as database:
        database.execute("UPDATE embedding_record SET state = 'quarantined', attempts = 3, last_error = 'model_error'")
        page = visit.open(f"{PAGES}embeddingrecord/?state=quarantined")
        page.locator("input.action-select").first.check()
        page.select_option("[name=action]", "retry_selected")
        page.get_by_role("button", name="Run").click()
        expect(page.get_by_text("Tried again: 1 record")).to_be_visible()
        page.get_by_role("link", name="Retry all quarantined").click()
        page.get_by_role("button", name="Retry", exact=True).click()
        expect(page.get_by_text("Tried again: 2 records")).to_be_visible()
        until = time.monotonic() + 60
        states = "SELECT DISTINCT state FROM embedding_record"
        while database.execute(states).fetchall() != [("ready",)] and time.monotonic() < until:
            time.sleep(0.1)
        assert database.execute(states).fetchall() == [("ready",)]
        found = database.execute("SELECT actor, detail FROM audit_event WHERE action = 'record.retried' ORDER BY id")
        assert found.fetchall() == [("admin:admin", {"records": 1}), ("admin:admin", {"records": "all"})]


def press(page: Page, link: str, button: str, said: str) -> None:
    """Open an action, read its page, and let it be done."""
    page.get_by_role("link", name=link, exact=False).first.click()
    page.get_by_role("button", name=button, exact=True).click()
    expect(page.get_by_text(said).first).to_be_visible(timeout=REFRESHED_MS)


def test_a_new_version_is_filled_before_the_eyes_of_its_operator(visit: Visit) -> None:
    documents = [{"id": f"owl/{number}", "text": f"An owl in tree {number}."} for number in range(24)]
    ok(httpx.post(f"{visit.url}/v1/upsert", json={"documents": documents, "wait": "searchable"}, timeout=60.0))
    page = visit.open(f"{PAGES}modelregistry/add/")
    fields = {"model_id": MODEL, "version": "2", "artifact": "hashing:", "dimension": "64"}
    page.select_option("[name=type]", "transformers")
    for name, value in fields.items():
        page.fill(f"[name={name}]", value)
    page.click("[name=_save]")
    page.get_by_role("row", name=re.compile("draft", re.IGNORECASE)).get_by_role("link", name=MODEL).click()
    press(page, "Probe", "Probe", "dimension 64")
    page.get_by_role("link", name="Start re-embedding").click()
    expect(page.get_by_text("27", exact=True)).to_be_visible()
    # Slow enough that a page on a busy machine shows it in the middle.
    page.fill("[name=documents_per_second]", "2")
    page.get_by_role("button", name="Start", exact=True).click()
    bar = page.get_by_role("progressbar")
    expect(bar).to_have_attribute("aria-valuenow", re.compile(r"^[1-9]\d?(\.\d)?$"), timeout=REFRESHED_MS)
    expect(page.locator("[data-state]")).to_have_text("finished", timeout=3 * REFRESHED_MS)
    expect(bar).to_have_attribute("aria-valuenow", "100")
    expect(page.locator("[data-tile=done]")).to_have_text("27 of 27")
    assert max(page.evaluate("rateChart.data.datasets[0].data")) > 0
    page.get_by_role("link", name=f"{MODEL} v2").last.click()
    page.get_by_role("link", name="Switch to it").click()
    expect(page.get_by_text(f"{MODEL} v1 stops answering and is kept", exact=False)).to_be_visible()
    if page.locator("[name=override]").count():
        page.check("[name=override]", force=True)
        page.fill("[name=reason]", "hashes are not meant to be good")
    page.get_by_role("button", name="Switch", exact=True).click()
    expect(page.get_by_text(f"{MODEL} v2 answers now; {MODEL} v1 is kept").first).to_be_visible()
    until_answering(visit.url, 2)
    page.goto(f"{visit.url}{PAGES}modelregistry/?status__exact=standby")
    page.get_by_role("link", name=MODEL).last.click()
    press(page, "Roll back to it", "Roll back", f"{MODEL} v1 answers now; {MODEL} v2 is kept")
    until_answering(visit.url, 1)


def until_answering(url: str, version: int) -> None:
    """Until the version answers a search, and with hits."""
    until = time.monotonic() + 60
    while True:
        answer = ok(httpx.post(f"{url}/v1/search", json={"query": "owls"}, timeout=30.0))
        if answer["model_version"] == version and answer["hits"]:
            return
        assert time.monotonic() < until, answer
        time.sleep(0.1)


def test_a_key_is_shown_once_and_revoked(visit: Visit) -> None:
    page = visit.open(f"{PAGES}apikey/add/")
    page.fill("[name=name]", "made in a browser")
    expect(page.get_by_text("This is the first key.")).to_be_visible()
    page.uncheck("[name=scopes][value=write]")
    page.uncheck("[name=scopes][value=operate]")
    page.uncheck("[name=scopes][value=admin]")
    page.check("[name=ends_keyless_use]", force=True)
    page.fill("[name=namespaces]", "notes, tickets")
    page.click("[name=_save]")
    text = page.locator("#made-key").input_value()
    expect(page.get_by_text("This is the first key.")).to_be_visible()
    assert re.fullmatch(r"emb_[0-9a-f]{10}_\S{40}", text)
    page.reload()
    expect(page.get_by_role("link", name="made in a browser")).to_be_visible()
    assert text not in page.content()
    page.get_by_role("link", name="made in a browser").click()
    expect(page.get_by_text("notes, tickets")).to_be_visible()
    assert text not in page.content()
    page.get_by_role("link", name="Revoke").first.click()
    page.get_by_role("button", name="Revoke", exact=True).click()
    expect(page.get_by_text(f"Key {text.split('_')[1]} is revoked")).to_be_visible()
    with visit.database() as database:
        stored = database.execute("SELECT name, scopes, namespaces, revoked_at IS NOT NULL FROM api_key").fetchall()
    assert stored == [("made in a browser", ["embed", "search"], ["notes", "tickets"], True)]


def sign_in(page: Page, name: str, password: str) -> None:
    page.fill("[name=username]", name)
    page.fill("[name=password]", password)
    page.get_by_role("button", name="Log in").click()


def test_with_keys_the_console_needs_a_login_and_a_viewer_only_reads(
    browser: Browser, visit: Visit, instance: tuple[str, Path]
) -> None:
    """Runs after a key was made: the service is not keyless any more."""
    until = time.monotonic() + 60
    while (status := httpx.get(f"{visit.url}/v1/models", timeout=30.0).status_code) != 401:
        assert time.monotonic() < until, status
        time.sleep(0.1)
    page = visit.open("/console/?q=foxes")
    expect(page.locator("[data-hit]").first).to_be_visible()
    page.locator(".hit-id").first.click()
    expect(page.get_by_role("button", name="Save metadata")).to_be_visible()
    page.keyboard.press("Escape")
    page = visit.open("/admin/auth/user/add/")
    for field in ("username", "password1", "password2"):
        page.fill(f"[name={field}]", "a-viewer" if field == "username" else "long-enough-to-be-one")
    page.click("[name=_save]")
    with visit.database() as database:
        database.execute("UPDATE auth_user SET is_staff = true WHERE username = 'a-viewer'")
        database.execute(
            "INSERT INTO auth_user_groups (user_id, group_id) SELECT u.id, g.id FROM auth_user u, auth_group g "
            "WHERE u.username = 'a-viewer' AND g.name = 'viewer'"
        )
    with browser.new_context() as context:
        reading = Visit(context.new_page(), *instance)
        page = reading.open("/console/documents/?ns=default")
        sign_in(page, "a-viewer", "long-enough-to-be-one")
        expect(page.locator("tr[data-document]").first).to_be_visible()
        page.get_by_role("checkbox").first.check()
        expect(page.get_by_role("button", name=re.compile("^Export"))).to_be_visible()
        expect(page.get_by_role("button", name=re.compile("^Delete"))).to_have_count(0)
        page.locator("tr[data-document] button").first.click()
        expect(page.get_by_text("norm 1.0000")).to_be_visible()
        expect(page.get_by_role("button", name="Save metadata")).to_have_count(0)
        refused = page.evaluate(
            """async () => (await fetch('/v1/documents/delete', {method: 'POST', body: '{"all": true}', headers:
            {'Content-Type': 'application/json', 'X-CSRFToken': document.body.dataset.token}})).status"""
        )
        assert refused == 403
        assert page.evaluate("async () => (await fetch('/v1/models')).status") == 401
        reading.forgive("403", "401")
        page.keyboard.press("Escape")
        expect(page.get_by_role("link", name="Activity")).to_have_count(0)
        with visit.database() as database:
            database.execute(
                "UPDATE auth_user_groups SET group_id = (SELECT id FROM auth_group WHERE name = 'operator') "
                "WHERE user_id = (SELECT id FROM auth_user WHERE username = 'a-viewer')"
            )
        page.reload()
        page.get_by_role("link", name="Activity").click()
        expect(page.get_by_role("heading", name=f"Texts for {MODEL} v1")).to_be_visible()
        page.get_by_role("link", name="Cluster").click()
        expect(page.get_by_role("heading", name="Replica 0").first).to_be_visible()
        expect(page.get_by_role("link", name="Keys")).to_have_count(0)
        page.get_by_role("button", name="Sign out").click()
        reading.open("/console/")
        expect(page.locator("[name=username]")).to_be_visible()
        reading.leave()
