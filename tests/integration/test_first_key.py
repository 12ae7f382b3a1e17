"""The first key ends keyless use: whoever makes it hears so before and after."""

import io
import re
from collections.abc import Iterator

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import timezone

from embeddings_app.models import ApiKey, Scope

pytestmark = [pytest.mark.filterwarnings("ignore:No directory at:UserWarning"), pytest.mark.usefixtures("migrated")]
PAGE = "/admin/embeddings_app/apikey/add/"
NOTICE = "This is the first key."
FORM = {"name": "a", "scopes": ["embed"]}


@pytest.fixture(autouse=True)
def no_keys() -> Iterator[None]:
    ApiKey.objects.all().delete()
    yield
    ApiKey.objects.all().delete()


@pytest.fixture
def admin() -> Client:
    user, _ = User.objects.get_or_create(username="first-key", is_staff=True, is_superuser=True)
    client = Client(headers={"host": "localhost"})
    client.force_login(user, "embeddings_app.admin.login_limit.Passwords")
    return client


def offered(page: str) -> set[str]:
    """The scopes that are ticked when the form opens."""
    boxes = re.findall(r"<input[^>]*>", page)
    ticked = [box for box in boxes if 'name="scopes"' in box and re.search(r" checked[ />]", box)]
    return {box.split('value="')[1].split('"')[0] for box in ticked}


def command(*arguments: str) -> str:
    said = io.StringIO()
    call_command("apikey", *arguments, stdout=said, stderr=io.StringIO())
    return said.getvalue()


def test_the_command_makes_it_only_when_told_so() -> None:
    assert "the service is keyless" in command("list")
    with pytest.raises(CommandError, match="--yes"):
        command("create", "--name", "a", "--scope", "search")
    assert not ApiKey.objects.exists()
    assert command("create", "--name", "a", "--scope", "search", "--yes").startswith("emb_")
    assert command("create", "--name", "b", "--scope", "search").startswith("emb_")


def test_the_command_and_the_admin_name_the_same_states(admin: Client) -> None:
    for name in ("is active", "is expired", "is revoked"):
        command("create", "--name", name, "--scope", "search", "--yes")
    ApiKey.objects.filter(name="is expired").update(expires_at=timezone.now())
    command("revoke", ApiKey.objects.get(name="is revoked").prefix)
    listed = {line.split()[0]: line.split()[1] for line in command("list").splitlines()}
    for key in ApiKey.objects.all():
        page = admin.get(f"/admin/embeddings_app/apikey/{key.pk}/change/").content.decode()
        assert f"is {listed[key.prefix]}" == key.name
        assert f">{listed[key.prefix]}</div>" in page


def test_the_admin_asks_for_a_confirmation_and_offers_all_scopes(admin: Client) -> None:
    page = admin.get(PAGE)
    assert NOTICE in page.content.decode()
    assert offered(page.content.decode()) == set(Scope)
    assert NOTICE in admin.post(PAGE, FORM).content.decode()
    assert not ApiKey.objects.exists()
    made = admin.post(PAGE, {**FORM, "ends_keyless_use": "on"}).content.decode()
    assert NOTICE in made
    assert "made-key" in made
    assert ApiKey.objects.count() == 1


def test_later_keys_need_no_confirmation(admin: Client) -> None:
    command("create", "--name", "a", "--scope", "search", "--yes")
    page = admin.get(PAGE)
    assert NOTICE not in page.content.decode()
    assert offered(page.content.decode()) == {Scope.SEARCH}
    assert NOTICE not in admin.post(PAGE, FORM).content.decode()
    assert ApiKey.objects.count() == 2
