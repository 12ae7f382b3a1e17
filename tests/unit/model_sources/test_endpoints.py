"""Which endpoints may be called."""

import pytest

from embedding_project.model_sources.endpoints import endpoint_problem


@pytest.mark.parametrize(
    ("url", "allowed"),
    [
        ("https://api.example.org/v1", "api.example.org"),
        ("https://API.example.org/v1", "api.example.org"),
        ("https://api.example.org:443/v1", "api.example.org"),
        ("https://api.example.org:8443/v1", "api.example.org:8443"),
        ("http://127.0.0.1:9000/v1", "127.0.0.1:9000"),
        ("http://[::1]:9000/v1", "[::1]:9000"),
        ("http://inside:9000/v1", "http://inside:9000"),
    ],
)
def test_a_listed_host_may_be_called(url: str, allowed: str) -> None:
    assert endpoint_problem(url, ["other.example", allowed]) == ""


@pytest.mark.parametrize(
    ("url", "allowed", "reason"),
    [
        ("https://api.example.org/v1", "", "not one of"),
        ("https://evil.api.example.org/v1", "api.example.org", "not one of"),
        ("https://api.example.org.evil/v1", "api.example.org", "not one of"),
        ("https://api.example.org:8443/v1", "api.example.org", "not one of"),
        ("https://api.example.org/v1", "api.example.org:8443", "not one of"),
        ("https://api.example.org@evil/v1", "api.example.org", "a user"),
        ("https://api.example.org/v1?x=1", "api.example.org", "a query"),
        ("https://api.example.org/v1#x", "api.example.org", "fragment"),
        ("http://inside:9000/v1", "inside:9000", "https only"),
        ("http://169.254.169.254/latest", "127.0.0.1", "not one of"),
        ("file:///etc/passwd", "api.example.org", "not an address"),
        ("https://api.example.org:port/", "api.example.org", "not an address"),
        ("https://[broken/", "api.example.org", "not an address"),
        ("", "api.example.org", "not an address"),
    ],
)
def test_anything_else_is_refused_in_words(url: str, allowed: str, reason: str) -> None:
    assert reason in endpoint_problem(url, [allowed] if allowed else [])
