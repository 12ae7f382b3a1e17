"""Requests to the API by people who are signed in: what the session of a page may ask, and what is nobody's."""

import pytest
from django.contrib.auth.models import Group, User
from django.middleware.csrf import get_token
from django.test import Client, RequestFactory

from embedding_project.contracts.errors import ServiceError
from embeddings_app.api.sessions import signed_in
from embeddings_app.services.access.callers import Caller
from embeddings_app.services.access.roles import Role, install_roles

SCOPES = {
    Role.VIEWER: frozenset({"search", "embed"}),
    Role.OPERATOR: frozenset({"search", "embed", "operate"}),
    Role.OWNER: frozenset({"search", "embed", "write", "operate", "admin"}),
}
JSON = "application/json"


@pytest.fixture(autouse=True)
def roles(database: str) -> None:
    install_roles()


def session_of(role: Role | None, **more: bool) -> str:
    User.objects.filter(username="somebody").delete()
    user = User.objects.create(username="somebody", **{"is_staff": True, **more})
    if role:
        user.groups.add(Group.objects.get(name=role))
    client = Client()
    client.force_login(user)
    return client.cookies["sessionid"].value


def asked(session: str, *, token: str | None = "right", method: str = "POST", kind: str = JSON) -> Caller | None:
    factory = RequestFactory()
    page = factory.get("/console/")
    right = get_token(page)
    factory.cookies["csrftoken"] = page.META["CSRF_COOKIE"]
    factory.cookies["sessionid"] = session
    headers = {} if token is None else {"x-csrftoken": right if token == "right" else token}
    return signed_in(factory.generic(method, "/v1/documents/delete", b"{}", content_type=kind, headers=headers))


@pytest.mark.parametrize("role", list(Role))
def test_a_person_may_do_what_the_role_says(role: Role) -> None:
    caller = asked(session_of(role))
    assert caller is not None
    assert (caller.name, caller.scopes) == ("admin:somebody", SCOPES[role])


def test_who_may_not_enter_the_admin_may_ask_nothing() -> None:
    assert asked(session_of(Role.OWNER, is_staff=False)) is None
    assert asked(session_of(Role.OWNER, is_active=False)) is None
    assert asked("0" * 32) is None
    bare = asked(session_of(None))
    assert bare is not None
    assert bare.scopes == frozenset()


def test_the_cookie_alone_is_nobody() -> None:
    session = session_of(Role.OWNER)
    assert asked(session, token=None) is None
    assert asked(session, token=None, method="GET") is None
    assert asked(session, kind="application/x-www-form-urlencoded") is None
    assert asked(session, kind="text/plain") is None


def test_a_wrong_token_is_told_to_load_the_page_again() -> None:
    with pytest.raises(ServiceError, match="load the page again") as raised:
        asked(session_of(Role.OWNER), token="x" * 64)
    assert raised.value.code == "unauthenticated"
