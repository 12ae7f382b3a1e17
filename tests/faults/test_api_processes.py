"""Several api processes are one service: a connection for each thread, and keys, limits and figures that they share.

The clients here use each connection once, so that their requests reach all processes.
"""

import asyncio
import re
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from supervisor.launch import running_instance
from tests.conftest import Service, free_port, outside_environment, scratch_directory

PROCESSES = 6
PATIENCE_SECONDS = 60.0
MANY = 60
"""Requests on as many connections: they miss one of the processes once in ten thousand runs."""
ROOT_KEY = "the-root-key-of-this-instance"
REVOKED_EVERYWHERE_SECONDS = 5.0


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    var = scratch_directory()
    environ = outside_environment(var) | {"SHARDS": "1", "REPLICAS": "1", "API_KEY": ROOT_KEY}
    environ["API_PROCESSES"] = str(PROCESSES)
    with running_instance(var=var, port=free_port(), environ=environ, say=lambda _: None) as url:
        yield Service(url, Path(var))


def ask(service: Service, path: str, key: str, times: int, at_once: int) -> list[httpx.Response]:
    """Send the same request again and again, each time on a connection of its own."""

    async def ask_all() -> list[httpx.Response]:
        places = asyncio.Semaphore(at_once)
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=0)
        headers = {"Authorization": f"Bearer {key}"}
        async with httpx.AsyncClient(base_url=service.url, headers=headers, limits=limits, timeout=60) as client:

            async def ask_one() -> httpx.Response:
                async with places:
                    return await client.get(path)

            return await asyncio.gather(*(ask_one() for _ in range(times)))

    return asyncio.run(ask_all())


def codes(answers: list[httpx.Response]) -> Counter[str]:
    """How many have which status, and which error."""
    return Counter(
        f"{answer.status_code} {answer.json().get('error', {}).get('code', '')}".strip() for answer in answers
    )


def make_key(service: Service, *options: str) -> str:
    said = service.manage("apikey", "create", "--name", "test", "--scope", "search", "--yes", *options)
    key = re.search(r"emb_[0-9a-f]{10}_\S+", said)
    assert key is not None, said
    return key[0]


def test_postgres_has_a_connection_for_each_thread_of_each_process(service: Service) -> None:
    headers = {"Authorization": f"Bearer {ROOT_KEY}"}
    httpx.post(
        f"{service.url}/v1/upsert", json={"id": "some", "text": "some"}, headers=headers, timeout=30.0
    ).raise_for_status()
    told = codes(ask(service, "/v1/vectors/other", ROOT_KEY, 3_000, at_once=200))
    # A busy machine lets some of them come later, but none for want of a connection.
    assert set(told) <= {"404 unknown_document", "429 overloaded", "503 database_unavailable"}
    assert told["404 unknown_document"] > 0
    assert "postgres takes no more connections" not in (service.var / "logs" / "api.log").read_text()


def test_a_key_counts_in_every_process_and_after_its_end_in_none(service: Service) -> None:
    key = make_key(service)
    assert codes(ask(service, "/v1/models", key, MANY, at_once=10)) == {"200": MANY}
    service.manage("apikey", "revoke", key.split("_")[1])
    time.sleep(REVOKED_EVERYWHERE_SECONDS)
    assert codes(ask(service, "/v1/models", key, MANY, at_once=10)) == {"401 unauthenticated": MANY}


def test_a_limit_is_one_for_all_processes(service: Service) -> None:
    key = make_key(service, "--requests-per-second", "0.01")
    assert codes(ask(service, "/v1/models", key, MANY, at_once=10)) == {"200": 1, "429 rate_limited": MANY - 1}


def test_every_process_tells_the_figures_of_all(service: Service) -> None:
    def answered() -> set[str]:
        wanted = re.compile(r'^api_requests_total\{route="/v1/models/[^"]*",status="404"\} (\S+)$', re.MULTILINE)
        pages = ask(service, "/metrics", ROOT_KEY, MANY, at_once=10)
        return {number for page in pages for number in wanted.findall(page.text)}

    ask(service, "/v1/models/nothing", ROOT_KEY, MANY, at_once=10)
    until, told = time.monotonic() + PATIENCE_SECONDS, answered()
    while told != {f"{MANY}.0"}:
        assert time.monotonic() < until, told
        told = answered()
