"""Who may ask."""

import pytest

from embeddings_app.api.access import OPEN_PATHS, Access
from tests.unit.api.refusals import refusal

KEY = "k" * 40


@pytest.mark.parametrize("host", ["localhost", "localhost:8000", "127.0.0.1:1", "[::1]:8000", "LOCALHOST"])
def test_without_a_key_loopback_names_are_answered(host: str) -> None:
    Access("").check("/v1/embed", host, "")


@pytest.mark.parametrize("host", ["evil", "evil.localhost", "localhost.evil:80", "10.0.0.1", "localhost."[:-1] + "x"])
def test_without_a_key_other_names_are_forbidden(host: str) -> None:
    assert refusal(lambda: Access("").check("/healthz", host, "")) == ("forbidden_host", "Host")


@pytest.mark.parametrize("key", ["", KEY])
@pytest.mark.parametrize("host", ["", "localhost,evil", "a b", "x" * 300, "local\x00host"])
def test_what_is_no_host_name_is_refused(host: str, key: str) -> None:
    assert refusal(lambda: Access(key).check("/healthz", host, "")) == ("invalid_value", "Host")


def test_with_a_key_only_configured_hosts_are_answered() -> None:
    assert refusal(lambda: Access(KEY).check("/v1/embed", "evil", f"Bearer {KEY}")) == ("invalid_value", "Host")


@pytest.mark.parametrize("authorization", [f"Bearer {KEY}", f"bearer {KEY}", f"Bearer  {KEY} "])
def test_the_key_opens(authorization: str) -> None:
    Access(KEY).check("/v1/embed", "localhost", authorization)


@pytest.mark.parametrize(
    "authorization",
    ["", "Bearer", "Bearer ", f"Basic {KEY}", KEY, f"Bearer {KEY}x", "Bearer é\x00", f"Bearer {KEY},Bearer {KEY}"],
)
@pytest.mark.parametrize("path", ["/v1/embed", "/metrics", "/v1/docs/", "/nothing", "//v1/docs"])
def test_anything_else_does_not(path: str, authorization: str) -> None:
    assert refusal(lambda: Access(KEY).check(path, "localhost", authorization))[0] == "unauthenticated"


@pytest.mark.parametrize("path", sorted(OPEN_PATHS))
def test_open_paths_need_no_key(path: str) -> None:
    Access(KEY).check(path, "localhost", "")
