"""What each role may do in the admin, asked by requests that no page offered."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from django.contrib.auth.models import Group, Permission, User
from django.test import Client
from django_celery_beat.models import PeriodicTask

from embeddings_app.models import ApiKey, AuditEvent, EmbeddingRecord, ModelRegistry, Namespace
from embeddings_app.services.access.api_keys import KeyGrant, create_key
from embeddings_app.services.access.roles import GRANTS, Role, install_roles
from embeddings_app.services.documents.upserting import upsert
from embeddings_app.services.reembedding import runs
from tests.integration import indexing_steps as steps
from tests.integration.reembedding_steps import ACTOR, forget_model, new_model, start

APP = "/admin/embeddings_app/"
OPERATORS, OWNERS = frozenset({Role.OPERATOR, Role.OWNER}), frozenset({Role.OWNER})
NEW_VERSION = {
    "model_id": "made-by-hand", "version": "1", "type": "external", "modality": "text", "dimension": "4",
    "pooling": "mean", "max_tokens": "16", "dtype": "fp32", "runtime": "auto", "requests_per_minute": "0",
    "storage": "fp32",
    "gate_samples": "50", "gate_recall": "0.95", "gate_overlap": "0.3", "gate_slowdown": "2.0",
    "gate_ndcg_drop": "0.02", "recall_target": "0.97",
}  # fmt: skip
NEW_USER = {"username": "made-by-hand", "password1": "a-long-password-7", "password2": "a-long-password-7"}


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
    """A form that somebody sends; names in braces stand for keys of rows."""

    path: str
    allowed: frozenset[Role]
    values: dict[str, Any] = field(default_factory=dict)
    audited: str = ""
    """The audit event that shows that it was done."""


POSTS = {
    "probe": Post("modelregistry/{outside}/probe/", OPERATORS, audited="model.probed"),
    "fill": Post("modelregistry/{probed}/fill/", OPERATORS, audited="model.backfilling"),
    "cancel the run of": Post("modelregistry/{filled}/cancel/", OPERATORS, audited="reembed.cancelled"),
    "switch to": Post("modelregistry/{outside}/switch/", OPERATORS, audited="model.active"),
    "roll back to": Post("modelregistry/{kept}/roll-back/", OPERATORS, audited="model.active"),
    "retire": Post("modelregistry/{kept}/retire/", OPERATORS, {"reason": "old"}, "model.retiring"),
    "pause": Post("reembedrun/{run}/pause/", OPERATORS, audited="reembed.paused"),
    "resume": Post("reembedrun/{paused}/resume/", OPERATORS, audited="reembed.running"),
    "cancel": Post("reembedrun/{run}/cancel/", OPERATORS, {"reason": "a mistake"}, "reembed.cancelled"),
    "retry the texts of a run": Post("reembedrun/{run}/retry/", OPERATORS, audited="record.retried"),
    "retry one text": Post("reembedrun/{run}/retry/", OPERATORS, {"record": "{record}"}, "record.retried"),
    "retry all": Post(
        "embeddingrecord/retry-quarantined/",
        OPERATORS,
        {"version": "{default}", "_form_submitted": "True"},
        "record.retried",
    ),
    "change a job": Post(
        "/admin/django_celery_beat/periodictask/{job}/change/",
        OPERATORS,
        {"every_seconds": "120", "enabled": "on"},
        "job.scheduled",
    ),
    "register": Post("modelregistry/add/", OWNERS, NEW_VERSION, "model.registered"),
    "change": Post("modelregistry/{outside}/change/", OWNERS, NEW_VERSION, "model.changed"),
    "delete": Post("modelregistry/{outside}/delete/", OWNERS, {"post": "yes"}, "model.deleted"),
    "name otherwise": Post(
        "modelalias/add/", OWNERS, {"name": "other", "model_id": "all-MiniLM-L6-v2"}, "model.alias_set"
    ),
    "make a key": Post(
        "apikey/add/", OWNERS, {"name": "k", "scopes": ["search"], "ends_keyless_use": "on"}, "key.created"
    ),
    "revoke a key": Post("apikey/{key}/revoke/", OWNERS, {"_form_submitted": "True"}, "key.revoked"),
    "make a namespace": Post("namespace/add/", OWNERS, {"name": "by-hand", "model_id": "all-MiniLM-L6-v2"}),
    "change a namespace": Post("namespace/{namespace}/change/", OWNERS, {"store_text": ""}),
    "make a user": Post("/admin/auth/user/add/", OWNERS, NEW_USER),
    "change a user": Post("/admin/auth/user/{user}/change/", OWNERS, {"username": "other", "is_staff": "on"}),
    "delete a user": Post("/admin/auth/user/{user}/delete/", OWNERS, {"post": "yes"}),
    "make a group": Post("/admin/auth/group/add/", frozenset(), {"name": "by-hand"}),
    "change a group": Post("/admin/auth/group/{group}/change/", frozenset(), {"name": "by-hand"}),
}


@pytest.fixture
def keys(database: str) -> Iterator[dict[str, int]]:
    """The rows that the paths name."""
    (first, probed), (_, filled), (_, halted) = made = [new_model() for _ in range(3)]
    run, paused = start(filled), start(halted)
    runs.pause(paused, ACTOR)
    kept = ModelRegistry.objects.create(
        model_id=first.model_id, version=3, type="transformers", artifact="hashing", dimension=8, status="standby"
    )
    outside = ModelRegistry.objects.create(model_id="outside", type="external", dimension=4, status="probed")
    upsert(steps.request(steps.document("a", "one"), namespace="filled", model_id=filled.model_id))
    steps.put(("a", "one"))
    EmbeddingRecord.objects.update(state="quarantined")
    other = User.objects.create(username="other", is_staff=True)
    key, _ = create_key(KeyGrant(name="k", scopes=["search"]), ACTOR)
    yield {
        "active": first.pk,
        "probed": probed.pk,
        "filled": filled.pk,
        "kept": kept.pk,
        "outside": outside.pk,
        "default": ModelRegistry.objects.get(model_id="all-MiniLM-L6-v2").pk,
        "run": run.pk,
        "paused": paused.pk,
        "record": EmbeddingRecord.objects.filter(model_version=filled).get().pk,
        "job": PeriodicTask.objects.get(name="trim").pk,
        "key": key.pk,
        "namespace": Namespace.objects.get(name=steps.NAMESPACE).pk,
        "user": other.pk,
        "group": Group.objects.get(name=Role.VIEWER).pk,
    }
    for model in (outside, *(first for first, _ in made)):
        forget_model(model)
    ModelRegistry.objects.filter(model_id__in=["outside", "made-by-hand"]).delete()
    User.objects.filter(username__in=["other", "somebody", "made-by-hand"]).delete()
    ApiKey.objects.all().delete()


def send(client: Client, post: Post, keys: dict[str, int]) -> int:
    values = {name: value.format(**keys) if isinstance(value, str) else value for name, value in post.values.items()}
    path = post.path if post.path.startswith("/") else APP + post.path
    status: int = client.post(path.format(**keys), values).status_code
    return status


@pytest.mark.parametrize("name", POSTS)
def test_a_form_made_by_hand_does_what_the_role_may_and_no_more(name: str, keys: dict[str, int]) -> None:
    post, newest = POSTS[name], AuditEvent.objects.latest("id").pk
    assert send(Client(SERVER_NAME="localhost"), post, keys) == 302
    refused = {role for role in Role if role not in post.allowed}
    for role in (None, *sorted(refused)):
        assert send(client_of(role), post, keys) == 403, role
        assert not AuditEvent.objects.filter(actor="admin:somebody", pk__gt=newest).exists()
    for role in sorted(post.allowed)[:1]:
        assert send(client_of(role), post, keys) in (200, 302)
        done = set(AuditEvent.objects.filter(actor="admin:somebody", pk__gt=newest).values_list("action", flat=True))
        assert not post.audited or post.audited in done


@pytest.mark.parametrize("role", Role)
def test_every_role_sees_every_page(role: Role, keys: dict[str, int]) -> None:
    client = client_of(role)
    index = client.get("/admin/").content.decode()
    for page in (
        "modelregistry",
        "reembedrun",
        "document",
        "embeddingrecord",
        "shardreplica",
        "apikey",
        "auditevent",
        "bulkjob",
        "jobrun",
    ):
        assert f"{APP}{page}/" in index
        assert client.get(f"{APP}{page}/").status_code == 200
    assert client.get("/admin/auth/user/").status_code == 200
    for page in ("modelregistry/{active}", "modelregistry/{filled}", "modelregistry/{outside}", "reembedrun/{run}"):
        assert client.get(f"{APP}{page}/change/".format(**keys)).status_code == 200
    assert client.get(f"{APP}reembedrun/{keys['run']}/progress.json").json()["state"] == "running"


@pytest.mark.parametrize(("role", "offered"), [(Role.VIEWER, 0), (Role.OPERATOR, 3), (Role.OWNER, 3)])
def test_actions_are_offered_to_those_who_may_take_them(role: Role, offered: int, keys: dict[str, int]) -> None:
    """Of a version in standby, and of a run."""
    client = client_of(role)
    page = client.get(f"{APP}modelregistry/{keys['kept']}/change/").content.decode()
    assert sum(f"{keys['kept']}/{path}/" in page for path in ("probe", "roll-back", "retire", "switch")) == offered
    page = client.get(f"{APP}reembedrun/{keys['run']}/change/").content.decode()
    assert sum(f"{keys['run']}/{path}/" in page for path in ("pause", "cancel", "retry")) == offered


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
    for name in ("probe", "retry all", "revoke a key", "change a group", "delete a user"):
        assert send(client, POSTS[name], keys) in (200, 302), name
