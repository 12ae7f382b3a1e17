"""Who may ask."""

from functools import partial

import pytest
from django.db import OperationalError

from embeddings_app.api.access import OPEN_PATHS, Access, sent_key
from embeddings_app.records.api_keys import StoredKey
from embeddings_app.services.access.api_keys import key_hash
from embeddings_app.services.access.callers import KEYLESS, ROOT, KeylessUse, KeyRing, KeysExist
from tests.unit.api.refusals import refusal

ROOT_KEY = "k" * 40
KEY = "emb_0123456789_" + "s" * 40
STORED = StoredKey(
    prefix="0123456789", key_hash=key_hash(KEY), scopes=frozenset({"search"}), namespaces=frozenset(),
    requests_per_second=None, inputs_per_second=None, expires_at=None, revoked_at=None,
)  # fmt: skip


def access(root_key: str = "", *, keys_exist: bool = False) -> Access:
    found = {STORED.prefix: STORED} if keys_exist else {}
    return Access(root_key, KeyRing(found.get), KeylessUse(root_key, lambda: keys_exist, on_loopback=True))


def asked(who: Access, authorization: str, path: str = "/v1/embed", host: str = "localhost") -> object:
    return who.caller(path, host, authorization)


@pytest.mark.parametrize("host", ["localhost", "localhost:8000", "127.0.0.1:1", "[::1]:8000", "LOCALHOST"])
def test_without_a_key_loopback_names_are_answered(host: str) -> None:
    assert asked(access(), "", host=host) is KEYLESS


@pytest.mark.parametrize("host", ["evil", "evil.localhost", "localhost.evil:80", "10.0.0.1", "localhost."[:-1] + "x"])
def test_without_a_key_other_names_are_forbidden(host: str) -> None:
    assert refusal(lambda: asked(access(), "", host=host)) == ("forbidden_host", "Host")


def test_a_service_that_listens_beyond_loopback_is_never_keyless() -> None:
    open_to_all = Access("", KeyRing(lambda _: None), KeylessUse("", lambda: False, on_loopback=False))
    assert refusal(lambda: asked(open_to_all, ""))[0] == "unauthenticated"
    assert asked(open_to_all, "", "/healthz") is None


@pytest.mark.parametrize("key", ["", ROOT_KEY])
@pytest.mark.parametrize("host", ["", "localhost,evil", "a b", "x" * 300, "local\x00host"])
def test_what_is_no_host_name_is_refused(host: str, key: str) -> None:
    assert refusal(lambda: asked(access(key), "", "/healthz", host)) == ("invalid_value", "Host")


def test_with_a_key_only_configured_hosts_are_answered() -> None:
    assert refusal(lambda: asked(access(ROOT_KEY), f"Bearer {ROOT_KEY}", host="evil")) == ("invalid_value", "Host")


def test_a_key_may_come_in_a_header_of_its_own() -> None:
    assert sent_key({"HTTP_X_API_KEY": ROOT_KEY}) == sent_key({"HTTP_API_KEY": ROOT_KEY}) == f"Bearer {ROOT_KEY}"
    assert sent_key({"HTTP_AUTHORIZATION": "Bearer a", "HTTP_X_API_KEY": "b"}) == "Bearer a"
    assert sent_key({}) == sent_key({"HTTP_API_KEY": ""}) == ""


@pytest.mark.parametrize("scheme", ["Bearer ", "bearer ", "Bearer  "])
def test_the_root_key_and_a_made_key_open(scheme: str) -> None:
    assert asked(access(ROOT_KEY), f"{scheme}{ROOT_KEY} ") is ROOT
    made = access(keys_exist=True).caller("/v1/embed", "localhost", f"{scheme}{KEY} ")
    assert made is not None
    assert (made.name, made.scopes) == ("0123456789", frozenset({"search"}))


@pytest.mark.parametrize(
    "authorization",
    ["", "Bearer", "Bearer ", f"Basic {ROOT_KEY}", ROOT_KEY, f"Bearer {ROOT_KEY}x", "Bearer é\x00",
     f"Bearer {ROOT_KEY},Bearer {ROOT_KEY}", f"Bearer {KEY[:-1]}x", "Bearer " + "x" * 100_000],
)  # fmt: skip
@pytest.mark.parametrize("path", ["/v1/embed", "/metrics", "/v1/docs/", "/nothing", "//v1/docs"])
def test_anything_else_does_not(path: str, authorization: str) -> None:
    for who in (access(ROOT_KEY), access(ROOT_KEY, keys_exist=True), access(keys_exist=True)):
        assert refusal(partial(asked, who, authorization, path))[0] == "unauthenticated"


@pytest.mark.parametrize("path", sorted(OPEN_PATHS))
def test_open_paths_need_no_key(path: str) -> None:
    assert asked(access(ROOT_KEY), "", path) is None
    assert asked(access(keys_exist=True), "", path) is None


def test_once_a_key_was_made_nobody_is_keyless() -> None:
    assert refusal(lambda: asked(access(keys_exist=True), ""))[0] == "unauthenticated"


def test_whether_keys_exist_is_not_forgotten_while_the_database_is_away() -> None:
    answers: list[bool | Exception] = [OperationalError(), False, OperationalError(), True]

    def ask() -> bool:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    exist = KeysExist(ask)
    assert refusal(exist)[0] == "database_unavailable"
    assert [exist(), exist()] == [False, False]
    exist._cache.clear()
    assert exist() is False
    assert exist() is True
    exist._cache.clear()
    assert exist() is True
