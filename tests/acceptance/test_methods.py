"""Which methods a path answers to, and how it says so."""

import re

import httpx
import pytest

from embeddings_app.api.urls import urlpatterns

PATHS = ["/" + re.sub(r"<[^>]*>", "all-MiniLM-L6-v2", str(pattern.pattern)) for pattern in urlpatterns]
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")


@pytest.mark.parametrize("path", PATHS)
def test_options_names_the_methods_that_are_answered(api: httpx.Client, path: str) -> None:
    answer = api.options(path)
    assert (answer.status_code, answer.content) == (204, b"")
    answered = [method for method in METHODS if api.request(method, path).status_code != 405]
    assert sorted(answer.headers["allow"].split(", ")) == sorted(answered)
    refused = next(method for method in METHODS if method not in answered)
    assert api.request(refused, path).headers["allow"] == answer.headers["allow"]


@pytest.mark.parametrize("path", [path for path in PATHS if path != "/metrics"])
def test_head_answers_as_get_does_without_the_body(api: httpx.Client, path: str) -> None:
    get, head = api.get(path), api.head(path)
    assert (head.status_code, head.content) == (get.status_code, b"")
    names = ("content-type", "location", "allow")
    assert [head.headers.get(name) for name in names] == [get.headers.get(name) for name in names]
