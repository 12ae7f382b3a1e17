"""Passwords that are tried at once, over a real Redis."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from django.contrib.auth.models import User
from django.contrib.auth.signals import user_logged_in
from django.core.exceptions import PermissionDenied
from django.test import RequestFactory

from embedding_project.broker.redis_clients import cache_client
from embedding_project.config import load_config
from embeddings_app.admin.login_limit import LoginLimit

pytestmark = pytest.mark.usefixtures("migrated")


@pytest.fixture(autouse=True)
def full_buckets() -> None:
    cache_client(load_config().cache_url).flushdb()


def looked_at(address: str, name: str) -> bool:
    request = RequestFactory().post("/admin/login/", REMOTE_ADDR=address)
    try:
        LoginLimit().authenticate(request, name)
    except PermissionDenied:
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
