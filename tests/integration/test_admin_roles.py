"""What each role may do in the admin, asked by requests that no page offered."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from django.contrib.auth.models import Group, Permission, User
from django.test import Client

from embeddings_app.models import ApiKey, EmbeddingRecord, ModelRegistry, Namespace
from embeddings_app.services.access.api_keys import KeyGrant, create_key
from embeddings_app.services.access.roles import GRANTS, Role, install_roles
from tests.integration import indexing_steps as steps
from tests.integration.reembedding_steps import ACTOR, forget_model, new_model

APP = "/admin/embeddings_app/"
EVERYBODY, OPERATORS, OWNERS = frozenset(Role), frozenset({Role.OPERATOR, Role.OWNER}), frozenset({Role.OWNER})
NEW_VERSION = {
    "model_id": "made-by-hand", "version": "1", "type": "external", "modality": "text", "dimension": "4",
    "pooling": "mean", "max_tokens": "16", "dtype": "fp32", "runtime": "auto", "requests_per_minute": "0",
}  # fmt: skip
NEW_USER = {"username": "made-by-hand", "password1": "a-long-password-7", "password2": "a-long-password-7"}


@pytest.fixture
def versions(database: str) -> Iterator[tuple[ModelRegistry, ModelRegistry]]:
    found = new_model()
    yield found
    forget_model(found[0])
    ModelRegistry.objects.filter(model_id="made-by-hand").delete()


def client_of(role: Role | None, **more: bool) -> Client:
    """A browser in which a new user is logged in."""
    User.objects.filter(username="somebody").delete()
    user = User.objects.create(username="somebody", is_staff=True, **more)
    if role:
        user.groups.add(Group.objects.get(name=role))
    client = Client(SERVER_NAME="localhost")
    client.force_login(user)
    return client


@dataclass(frozen=True, slots=True)
class Post:
    """A form that somebody sends; `{active}`, `{probed}`, `{key}`, `{record}` in the path are keys of rows."""

    path: str
    allowed: frozenset[Role]
    values: dict[str, Any] = field(default_factory=dict)


POSTS = {
    "probe": Post("modelregistry/{probed}/probe/", OPERATORS, {"sent": "1"}),
    "activate": Post("modelregistry/{probed}/activate/", OPERATORS, {"sent": "1"}),
    "register": Post("modelregistry/add/", OWNERS, NEW_VERSION),
    "change": Post("modelregistry/{probed}/change/", OWNERS, NEW_VERSION),
    "delete": Post("modelregistry/{probed}/delete/", OWNERS, {"post": "yes"}),
    "retry": Post("embeddingrecord/retry-quarantined/", OPERATORS, {"version": "{active}"}),
    "make a key": Post("apikey/add/", OWNERS, {"name": "k", "scopes": ["search"], "ends_keyless_use": "on"}),
    "revoke a key": Post("apikey/{key}/revoke/", OWNERS, {"sent": "1"}),
    "make a namespace": Post("namespace/add/", OWNERS, {"name": "by-hand", "model_id": "all-MiniLM-L6-v2"}),
    "change a namespace": Post("namespace/{namespace}/change/", OWNERS, {"store_text": ""}),
    "make a user": Post("/admin/auth/user/add/", OWNERS, NEW_USER),
    "change a user": Post("/admin/auth/user/{user}/change/", OWNERS, {"username": "other", "is_staff": "on"}),
    "delete a user": Post("/admin/auth/user/{user}/delete/", OWNERS, {"post": "yes"}),
    "make a group": Post("/admin/auth/group/add/", frozenset(), {"name": "by-hand"}),
    "change a group": Post("/admin/auth/group/{group}/change/", frozenset(), {"name": "by-hand"}),
}


@pytest.fixture
def keys(versions: tuple[ModelRegistry, ModelRegistry]) -> Iterator[dict[str, int]]:
    """The rows that the paths name."""
    first, second = versions
    ModelRegistry.objects.filter(pk=second.pk).update(type="external", artifact="")
    steps.put(("a", "one"))
    EmbeddingRecord.objects.update(state="quarantined")
    other = User.objects.create(username="other", is_staff=True)
    made, _ = create_key(KeyGrant(name="k", scopes=["search"]), ACTOR)
    yield {
        "active": first.pk,
        "probed": second.pk,
        "key": made.pk,
        "namespace": Namespace.objects.get(name=steps.NAMESPACE).pk,
        "user": other.pk,
        "group": Group.objects.get(name=Role.VIEWER).pk,
    }
    User.objects.filter(username__in=["other", "somebody", "made-by-hand"]).delete()
    ApiKey.objects.all().delete()


def send(client: Client, post: Post, keys: dict[str, int]) -> int:
    values = {name: value.format(**keys) if isinstance(value, str) else value for name, value in post.values.items()}
    path = post.path if post.path.startswith("/") else APP + post.path
    status: int = client.post(path.format(**keys), values).status_code
    return status


@pytest.mark.parametrize("name", POSTS)
def test_a_form_made_by_hand_does_what_the_role_may_and_no_more(name: str, keys: dict[str, int]) -> None:
    post = POSTS[name]
    assert send(Client(SERVER_NAME="localhost"), post, keys) == 302
    refused = {role for role in Role if role not in post.allowed}
    for role in (None, *sorted(refused)):
        assert send(client_of(role), post, keys) == 403, role
    for role in sorted(post.allowed)[:1]:
        assert send(client_of(role), post, keys) in (200, 302)


@pytest.mark.parametrize("role", Role)
def test_every_role_sees_every_page(role: Role, keys: dict[str, int]) -> None:
    client = client_of(role)
    index = client.get("/admin/").content.decode()
    for page in ("modelregistry", "document", "embeddingrecord", "shardreplica", "apikey", "auditevent"):
        assert f"{APP}{page}/" in index
        assert client.get(f"{APP}{page}/").status_code == 200
    assert client.get("/admin/auth/user/").status_code == 200
    assert client.get(f"{APP}modelregistry/{keys['active']}/change/").status_code == 200


def test_the_permissions_that_roles_name_exist_and_come_back(database: str) -> None:
    viewer = Group.objects.get(name=Role.VIEWER)
    viewer.permissions.set(Permission.objects.filter(codename="delete_document"))
    install_roles()
    for role, more in GRANTS.items():
        held = {
            f"{app}.{codename}"
            for app, codename in Group.objects.get(name=role).permissions.values_list(
                "content_type__app_label", "codename"
            )
        }
        assert {name for name in held if not name.split(".")[1].startswith("view_")} == more
        assert {"embeddings_app.view_document", "embeddings_app.view_reembedrun", "auth.view_group"} <= held


def test_an_owner_makes_no_superuser_and_changes_none(keys: dict[str, int]) -> None:
    client = client_of(Role.OWNER)
    path = f"/admin/auth/user/{keys['user']}/change/"
    values = {"username": "other", "is_staff": "on", "is_superuser": "on", "user_permissions": ["1"]}
    values |= {"date_joined_0": "2026-01-01", "date_joined_1": "00:00:00"}
    assert client.post(path, values).status_code == 302
    other = User.objects.get(pk=keys["user"])
    assert (other.is_superuser, other.user_permissions.count()) == (False, 0)
    User.objects.filter(pk=other.pk).update(is_superuser=True)
    assert client.post(path, {"username": "mine"}).status_code == 403
    passwords = {"password1": "a-long-password-8", "password2": "a-long-password-8"}
    assert client.post(f"/admin/auth/user/{other.pk}/password/", passwords).status_code == 403
    assert client.post(f"/admin/auth/user/{other.pk}/delete/", {"post": "yes"}).status_code == 403
    bulk = {"action": "delete_selected", "_selected_action": [str(other.pk)], "post": "yes"}
    client.post("/admin/auth/user/", bulk)
    assert User.objects.filter(pk=other.pk).exists()


def test_a_superuser_may_do_everything(keys: dict[str, int]) -> None:
    client = client_of(None, is_superuser=True)
    for name in ("probe", "retry", "revoke a key", "change a group", "delete a user"):
        assert send(client, POSTS[name], keys) in (200, 302), name
