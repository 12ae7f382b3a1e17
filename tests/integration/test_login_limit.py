"""Passwords that are tried at once, over a real Redis."""

import re
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.contrib.auth.models import User
from django.contrib.auth.signals import user_logged_in
from django.core.exceptions import ValidationError
from django.test import Client, RequestFactory

from embedding_project.broker.redis_clients import broker_client
from embedding_project.config import load_config
from embeddings_app.admin.login_limit import LoginLimit

# WhiteNoise also looks for collected files, of which a checkout has none.
pytestmark = [pytest.mark.filterwarnings("ignore:No directory at:UserWarning"), pytest.mark.usefixtures("migrated")]


@pytest.fixture(autouse=True)
def full_buckets() -> None:
    broker_client(load_config().cache_url, 30.0, 30.0).flushdb()


def looked_at(address: str, name: str) -> bool:
    request = RequestFactory().post("/admin/login/", REMOTE_ADDR=address)
    try:
        LoginLimit().authenticate(request, name)
    except ValidationError:
        return False
    return True


def test_tries_at_once_count_like_tries_in_turn() -> None:
    with ThreadPoolExecutor(60) as pool:
        assert sum(pool.map(lambda _: looked_at("203.0.113.1", "admin"), range(60))) == 10
    assert looked_at("203.0.113.2", "admin")


def test_no_name_is_tried_without_end_from_many_addresses() -> None:
    assert sum(looked_at(f"10.0.0.{number}", "admin") for number in range(150)) == 100
    assert looked_at("10.0.1.1", "another")


def test_a_right_password_costs_nothing() -> None:
    user, _ = User.objects.get_or_create(username="signs-in")
    for _ in range(50):
        assert looked_at("203.0.113.1", "signs-in")
        request = RequestFactory().post("/admin/login/", REMOTE_ADDR="203.0.113.1")
        user_logged_in.send(User, request=request, user=user)


def test_whoever_has_to_wait_is_told_how_long_and_not_whether_the_password_was_right() -> None:
    password = "a right and long password"
    User.objects.filter(username="waits").delete()
    user = User.objects.create_user("waits", password=password, is_staff=True)
    for number in range(10):
        looked_at("127.0.0.1", f"somebody {number}")
    client = Client(headers={"host": "localhost"})
    for given in (password, "wrong"):
        page = client.post("/admin/login/", {"username": "waits", "password": given}).content.decode()
        found = re.search(r"Too many attempts. No password is looked at now; try again in (\d+) seconds.", page)
        assert found, given
        assert 1 <= int(found[1]) <= 60
        assert "enter the correct" not in page
    user.delete()


@pytest.mark.parametrize(
    ("wanted", "reached"),
    [("/console/map/", "/console/map/")]
    + [
        (wanted, "/admin/")
        for wanted in ("//evil.example", "https://evil.example/", "/\\evil.example", "javascript:alert(1)")
    ],
)
def test_a_sign_in_leads_to_no_other_site(wanted: str, reached: str) -> None:
    User.objects.filter(username="led").delete()
    User.objects.create_superuser("led", password="a right password")
    given = {"username": "led", "password": "a right password", "next": wanted}
    answer = Client(headers={"host": "localhost"}).post("/admin/login/", given, REMOTE_ADDR="203.0.113.77")
    assert (answer.status_code, answer.headers["location"]) == (302, reached)
