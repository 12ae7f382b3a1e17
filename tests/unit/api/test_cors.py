"""Which pages a browser lets use the API."""

import pytest
from django.http import HttpResponse
from django.test import RequestFactory

from embeddings_app.api.cors import Cors
from embeddings_app.api.routes.base import ApiView

PAGE = "https://app.example.com"
ASKS = {"origin": PAGE, "access-control-request-method": "POST"}


@pytest.mark.parametrize("path", ["/v1/search", "/v1/vectors/a/b", "/embed", "/healthz"])
def test_a_listed_origin_may_ask_for_any_route(path: str) -> None:
    request = RequestFactory().options(path, headers=ASKS)
    answer = Cors([PAGE]).preflight(request)
    assert answer is not None
    Cors([PAGE]).allow(request, answer)
    assert (answer.status_code, answer.headers["Access-Control-Allow-Origin"]) == (204, PAGE)
    assert "Authorization" in answer.headers["Access-Control-Allow-Headers"]


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        ("/nothing", ASKS),
        ("/v1/search", {**ASKS, "origin": "https://evil.example.com"}),
        ("/v1/search", {**ASKS, "origin": "null"}),
        ("/v1/search", {"origin": PAGE}),
        ("/v1/search", {"access-control-request-method": "POST"}),
    ],
)
def test_any_other_question_is_not_answered_for_cors(path: str, headers: dict[str, str]) -> None:
    assert Cors([PAGE]).preflight(RequestFactory().options(path, headers=headers)) is None


def test_answers_can_be_read_by_listed_origins_only() -> None:
    def told(cors: Cors, origin: str) -> dict[str, str]:
        response = HttpResponse()
        cors.allow(RequestFactory().get("/", headers={"origin": origin}), response)
        return {name: value for name, value in response.headers.items() if name != "Content-Type"}

    assert told(Cors([PAGE]), PAGE)["Access-Control-Allow-Origin"] == PAGE
    assert told(Cors([PAGE]), "https://evil.example.com") == {"Vary": "Origin"}
    assert told(Cors([]), PAGE) == {}


def test_a_page_may_use_every_method_that_a_route_answers() -> None:
    headers = {"origin": PAGE, "access-control-request-method": "PUT"}
    answer = Cors([PAGE]).preflight(RequestFactory().options("/v1/namespaces/animals", headers=headers))
    assert answer is not None
    allowed = set(answer.headers["Access-Control-Allow-Methods"].split(", "))
    assert allowed == {method.upper() for method in ApiView.http_method_names} - {"OPTIONS"}
