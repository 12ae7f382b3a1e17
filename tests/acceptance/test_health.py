"""What probes, Prometheus and people with a browser see."""

import time

import httpx

from tests.acceptance.conftest import ok
from tests.conftest import Service


def test_the_process_is_alive(api: httpx.Client) -> None:
    assert ok(api.get("/healthz")) == {"alive": True}


def test_every_dependency_is_ready(api: httpx.Client) -> None:
    # On a busy machine a role may be late with a sign of life.
    deadline = time.monotonic() + 60
    while (answer := api.get("/readyz")).status_code != 200 and time.monotonic() < deadline:
        time.sleep(0.2)
    body = ok(answer)
    assert body["ready"]
    assert {"postgres", "broker", "cache", "embedders", "indexer", "shards"} <= set(body["checks"])
    assert all(check["ok"] for check in body["checks"].values())


def test_requests_are_counted(api: httpx.Client) -> None:
    api.get("/v1/models")
    text = api.get("/metrics").text
    assert 'api_requests_total{route="/v1/models",status="200"}' in text
    assert 'api_request_seconds_count{route="/v1/models"}' in text


def test_models_are_listed(api: httpx.Client, external_model: str) -> None:
    listed = ok(api.get("/v1/models"))["models"]
    models = {model["model_id"]: model for model in listed if model["status"] == "active"}
    assert (models[external_model]["type"], models[external_model]["dimension"]) == ("external", 8)
    assert models["all-MiniLM-L6-v2"]["type"] == "transformers"


def test_the_documentation_is_served_without_other_hosts(api: httpx.Client) -> None:
    page = api.get("/", follow_redirects=True)
    assert page.status_code == 200
    sources = [part.split('"')[0] for part in page.text.split('src="')[1:]]
    assert sources
    for source in sources:
        assert source.startswith(("/static/", "docs?"))
        assert api.get(httpx.URL("/v1/docs").join(source)).status_code == 200
    assert "/v1/search" in ok(api.get("/v1/openapi.json"))["paths"]


def test_the_page_to_try_things_out_puts_no_header_of_a_session_into_what_it_shows(service: Service) -> None:
    with httpx.Client(base_url=service.url, timeout=30.0) as browser:
        browser.get("/admin/login/")
        assert browser.cookies["csrftoken"]
        script = browser.get("/v1/docs?script=").text
    assert 'request.headers["X-CSRFTOKEN"] = "";' in script
    assert '"requestInterceptor": (request) => request' in script.partition("...swaggerSettings")[0]


def test_the_admin_asks_for_a_login(api: httpx.Client) -> None:
    response = api.get("/admin/")
    assert response.status_code == 302
    assert "/admin/login/" in response.headers["location"]
    response = api.get("/admin?next=x")
    assert (response.status_code, response.headers["location"]) == (302, "/admin/")
