"""What every request passes: answers of the whole middleware chain that need no service."""

from collections.abc import Iterator

import pytest
from django.test import Client, override_settings

# WhiteNoise also looks for collected files, of which a checkout has none.
pytestmark = pytest.mark.filterwarnings("ignore:No directory at:UserWarning")
HOST = {"host": "localhost"}


@pytest.fixture
def client() -> Client:
    return Client(headers=HOST)


def test_healthz_answers(client: Client) -> None:
    response = client.get("/healthz")
    assert (response.status_code, response.json()) == (200, {"alive": True})
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert response.headers["Cache-Control"] == "no-store"
    assert response.headers["Content-Type"] == "application/json"


def test_json_is_the_only_answer(client: Client) -> None:
    response = client.get("/healthz?format=api", headers={"accept": "text/html"})
    assert response.headers["Content-Type"] == "application/json"


def test_a_plain_request_id_is_kept_and_any_other_replaced(client: Client) -> None:
    assert client.get("/healthz", headers={"x-request-id": "abc-1.2"}).headers["X-Request-Id"] == "abc-1.2"
    for given in ("", "a b", "x" * 129, "é"):
        made = client.get("/healthz", headers={"x-request-id": given}).headers["X-Request-Id"]
        assert len(made) == 16
        assert made != given


@pytest.mark.parametrize(
    "path", ["/nothing", "/v1", "/v1/vectors/", "/v1/embed/", "//admin", "//v1/embed", "/v1/../admin"]
)
def test_unknown_paths_are_not_found_in_json(client: Client, path: str) -> None:
    response = client.generic("GET", "/", PATH_INFO=path)
    assert (response.status_code, response.json()["error"]["code"]) == (404, "not_found")


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE", "TRACE", "BREW"])
def test_wrong_methods_are_told_the_right_one(client: Client, method: str) -> None:
    response = client.generic(method, "/v1/embed", headers={"x-http-method-override": "POST"})
    assert (response.status_code, response.json()["error"]["code"]) == (405, "method_not_allowed")
    assert response.headers["Allow"] == "POST, OPTIONS"


def test_a_foreign_host_is_forbidden_in_json() -> None:
    response = Client(headers={"host": "evil"}).get("/v1/models")
    assert response.headers["Content-Length"] == str(len(response.content))
    assert (response.status_code, response.json()["error"]["code"]) == (403, "forbidden_host")


def test_a_body_is_refused_by_its_headers(client: Client) -> None:
    response = client.post("/v1/embed", data=b"x", content_type="text/plain")
    assert (response.status_code, response.json()["error"]["code"]) == (415, "unsupported_media_type")
    response = client.post("/v1/embed", data=b"[]", content_type="application/json")
    assert (response.status_code, response.json()["error"]["code"]) == (400, "invalid_json")


def test_a_nul_or_a_line_break_in_the_path_is_refused_as_a_value(client: Client) -> None:
    for path in ("/v1/vectors/%00", "/v1/vectors/a%0Ab"):
        response = client.get(path)
        assert (response.status_code, response.json()["error"]["field"]) == (400, "id")


def test_the_docs_need_no_other_host(client: Client) -> None:
    assert client.get("/").headers["Location"] == "/console/"
    page = client.get("/v1/docs", headers={"accept": "application/json"})
    assert page.headers["Content-Type"].startswith("text/html")
    assert "//" not in page.content.decode().replace("://localhost", "").split("<script>")[0].split("<body>")[0]
    assert client.get("/v1/openapi.json").json()["openapi"].startswith("3.")


def test_requests_are_counted_by_route_and_status(client: Client) -> None:
    client.get("/v1/vectors/%00")
    client.get("/nothing")
    text = client.get("/metrics").content.decode()
    assert 'api_requests_total{route="/v1/vectors/<doc_id:doc_id>",status="400"}' in text
    assert 'api_requests_total{route="unmatched",status="404"}' in text
    assert 'api_request_seconds_bucket{le="0.001",route="/healthz"}' in text
    assert "api_requests_in_progress 1.0" in text


@pytest.fixture
def https_only() -> Iterator[Client]:
    with override_settings(SECURE_SSL_REDIRECT=True, SECURE_PROXY_SSL_HEADER=("HTTP_X_FORWARDED_PROTO", "https")):
        yield Client(headers=HOST)


@pytest.mark.parametrize("path", ["/v1/embed", "/v1/embeddings", "/embed", "/", "/nothing"])
def test_the_api_refuses_plain_http_in_the_form_of_the_route(https_only: Client, path: str) -> None:
    response = https_only.post(path, data=b"{}", content_type="application/json")
    assert response.status_code == 403
    assert "https://" in response.content.decode()
    told = https_only.post(path, data=b"{}", content_type="application/json", headers={"x-forwarded-proto": "https"})
    assert told.status_code in (400, 404)


def test_with_https_pages_redirect_and_probes_answer(https_only: Client) -> None:
    for path in ("/admin/login/", "/console/", "/v1/docs", "/v1/openapi.json"):
        response = https_only.get(path)
        assert (response.status_code, response.headers["Location"]) == (301, f"https://localhost{path}")
    assert https_only.get("/").headers["Location"] == "/console/"
    assert https_only.get("/healthz").status_code == 200
    assert https_only.get("/metrics").status_code == 200
