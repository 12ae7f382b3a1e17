"""Deletes by filter and drops of namespaces are killed in their midst: they go on, and are exact."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from typing import Any

import httpx
import psycopg
import pytest

from tests.conftest import EXTERNAL_DIMENSION, EXTERNAL_MODEL, Service
from tests.faults.recovery import wait_until_ready, whole_answer
from tests.faults.roles import kill, running

DOCUMENTS, PAGE = 8_000, 250
REMAKE = 10
PATIENCE_SECONDS = 90.0
_VECTOR = [1.0] + [0.0] * (EXTERNAL_DIMENSION - 1)
_TOMBSTONES = """
SELECT count(*) FROM document d JOIN namespace n ON n.id = d.namespace_id WHERE n.name = %s AND d.deleted
"""
_HOLD_LAST_ODD = """
SELECT 1 FROM document d JOIN namespace n ON n.id = d.namespace_id
WHERE n.name = %s AND d.metadata @> '{"odd": true}' ORDER BY d.doc_id DESC LIMIT 1 FOR UPDATE OF d
"""
_LEFT_OF_DROPPED = """
SELECT count(*) FROM document d JOIN namespace n ON n.id = d.namespace_id
WHERE n.dropped_at IS NOT NULL AND NOT d.deleted
"""


@pytest.fixture(scope="module")
def client(service: Service, external_model: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=service.url, timeout=30) as made:
        yield made


def asked(client: httpx.Client, path: str, body: dict[str, Any]) -> dict[str, Any]:
    """As clients do it: again while the service says that it cannot, and without a word while it is away."""
    until = time.monotonic() + PATIENCE_SECONDS
    while True:
        with suppress(httpx.TransportError):
            answer = client.post(path, json=body)
            if answer.status_code != httpx.codes.SERVICE_UNAVAILABLE:
                found: dict[str, Any] = answer.raise_for_status().json()
                return found
        assert time.monotonic() < until, path
        time.sleep(0.1)


def write(client: httpx.Client, namespace: str, number: int) -> None:
    """Documents of which every other one is `odd`."""
    for first in range(0, number, PAGE):
        documents = [
            {"id": f"d{one}", "vector": _VECTOR, "metadata": {"odd": one % 2 == 1}}
            for one in range(first, min(first + PAGE, number))
        ]
        body = {"namespace": namespace, "model_id": EXTERNAL_MODEL, "documents": documents}
        asked(client, "/v1/upsert", body)


def counted(service: Service, query: str, *parameters: object) -> int:
    """Asked again while Postgres is between two lives."""
    until = time.monotonic() + PATIENCE_SECONDS
    while True:
        with suppress(psycopg.Error), psycopg.connect(running(service).environment["DATABASE_URL"]) as connection:
            row = connection.execute(query.encode(), parameters or None).fetchone()
            return int(row[0]) if row else 0
        assert time.monotonic() < until, "Postgres does not answer"
        time.sleep(0.1)


def wait_for(holds: Callable[[], bool], what: str) -> None:
    until = time.monotonic() + PATIENCE_SECONDS
    while not holds():
        assert time.monotonic() < until, what
        time.sleep(0.01)


def searchable(client: httpx.Client, namespace: str) -> tuple[int, int] | None:
    """Documents, and those that are searchable; None while the service cannot say."""
    answer = client.get(f"/v1/namespaces/{namespace}")
    if answer.status_code == httpx.codes.SERVICE_UNAVAILABLE:
        return None
    status = answer.raise_for_status().json()
    return status["count"], status["searchable"]


@contextmanager
def last_held(service: Service, namespace: str) -> Iterator[None]:
    """Nobody deletes the last document during the block: what comes to it is still under way when it is killed."""
    address = running(service).environment["DATABASE_URL"]
    # Closed without a last query, which would fail where a test killed the server.
    with closing(psycopg.connect(address, autocommit=True)) as connection:
        connection.execute("BEGIN")
        assert connection.execute(_HOLD_LAST_ODD, [namespace]).rowcount == 1
        yield


def delete_all_odd(client: httpx.Client, namespace: str) -> int:
    """As clients do it: again until nothing is left. Gives how many this deleted."""
    cursor, deleted = None, 0
    while True:
        body = {"namespace": namespace, "filters": {"odd": True}, "cursor": cursor}
        done = asked(client, "/v1/documents/delete", body)
        cursor, deleted = done["next"], deleted + int(done["deleted"])
        if cursor is None:
            return deleted


@pytest.mark.slow
@pytest.mark.parametrize("role", ["api", "postgres"])
def test_a_delete_by_filter_that_is_killed_is_sent_again_and_exact(
    role: str, service: Service, client: httpx.Client
) -> None:
    namespace = f"killed-{role}"
    write(client, namespace, DOCUMENTS)

    def send() -> None:
        body = {"namespace": namespace, "filters": {"odd": True}}
        with suppress(httpx.HTTPError):
            httpx.post(f"{service.url}/v1/documents/delete", json=body, timeout=30)

    sending = threading.Thread(target=send)
    with last_held(service, namespace):
        sending.start()
        wait_for(lambda: counted(service, _TOMBSTONES, namespace) > 0, "nothing was deleted")
        kill(service, role)
        sending.join()
    wait_until_ready(service)
    gone = counted(service, _TOMBSTONES, namespace)
    assert 0 < gone < DOCUMENTS // 2
    assert delete_all_odd(client, namespace) == DOCUMENTS // 2 - gone
    for odd, left in ((True, 0), (False, DOCUMENTS // 2)):
        body = {"namespace": namespace, "filters": {"odd": odd}}
        assert asked(client, "/v1/documents/count", body) == {"count": left, "is_exact": True}
    wait_for(lambda: searchable(client, namespace) == (DOCUMENTS // 2,) * 2, "replicas do not follow")


@pytest.mark.slow
def test_a_drop_whose_api_and_indexer_die_goes_on_and_leaves_the_new_namespace(
    service: Service, client: httpx.Client
) -> None:
    namespace = "killed-drop"
    write(client, namespace, DOCUMENTS)

    def send() -> None:
        with suppress(httpx.HTTPError):
            httpx.delete(f"{service.url}/v1/namespaces/{namespace}", timeout=30)

    sending = threading.Thread(target=send)
    with last_held(service, namespace):
        sending.start()
        wait_for(lambda: counted(service, _LEFT_OF_DROPPED) > 0, "nothing was dropped")
        kill(service, "api")
        wait_for(lambda: counted(service, _LEFT_OF_DROPPED) < DOCUMENTS, "the job does not begin")
        kill(service, "indexer")
        sending.join()
    wait_until_ready(service)
    write(client, namespace, REMAKE)
    wait_for(lambda: counted(service, _LEFT_OF_DROPPED) == 0, "the job does not go on")
    wait_until_ready(service)
    wait_for(lambda: searchable(client, namespace) == (REMAKE, REMAKE), "replicas do not follow")
    body = {"namespace": namespace, "vector": _VECTOR, "top_k": 100, "exact": True}
    hits = whole_answer(client, body)["hits"]
    assert sorted(hit["id"] for hit in hits) == sorted(f"d{one}" for one in range(REMAKE))
