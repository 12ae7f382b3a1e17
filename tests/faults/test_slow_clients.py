"""Clients that keep the service waiting cost the others nothing."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from tests.conftest import Service
from tests.faults.recovery import in_some_attempt, in_time
from tests.faults.slow_clients import SlowClients, form_head

FORM = b"Content-Type: application/x-www-form-urlencoded\r\nCookie: csrftoken=" + b"a" * 32
SEARCH = {"query": "anything", "namespace": "slow-clients"}
MORE_THAN_THREADS = 130


@pytest.fixture
def client(service: Service) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=service.url, timeout=30) as client:
        body = {"id": "a", "text": "anything at all", "namespace": "slow-clients", "wait": "searchable"}
        assert client.post("/v1/upsert", json=body).status_code == 200
        yield client


def check_served(client: httpx.Client) -> None:
    """Of a busy machine, some. A thread that nobody frees would serve none of them, or let it time out."""

    def statuses() -> tuple[int, int]:
        return client.get("/healthz").status_code, client.post("/v1/search", json=SEARCH).status_code

    served = [statuses() for _ in range(5)]
    assert {status for both in served for status in both} <= {200, 429, 503}, served
    assert (200, 200) in served
    in_time(set(served) == {(200, 200)}, served)


@in_some_attempt
@pytest.mark.parametrize("path", [b"/admin/login/", b"/v1/docs", b"/healthz"])
@pytest.mark.parametrize("drips", [True, False])
def test_forms_that_arrive_a_byte_at_a_time_keep_nobody_waiting(
    service: Service, client: httpx.Client, path: bytes, drips: bool
) -> None:
    with SlowClients(service.url, form_head(path, FORM), MORE_THAN_THREADS, drips=drips):
        check_served(client)


@in_some_attempt
def test_logins_by_the_hundred_keep_nobody_waiting(service: Service, client: httpx.Client) -> None:
    page = client.get("/admin/login/")
    form = {"csrfmiddlewaretoken": page.cookies["csrftoken"], "username": "nobody", "password": "wrong"}
    cookies = {"csrftoken": page.cookies["csrftoken"]}

    def log_in(_: int) -> int:
        with httpx.Client(base_url=service.url, timeout=60, cookies=cookies) as other:
            return other.post("/admin/login/", data=form).status_code

    with ThreadPoolExecutor(120) as pool:
        statuses = [pool.submit(log_in, number) for number in range(120)]
        check_served(client)
        assert {status.result() for status in statuses} <= {200, 429}
