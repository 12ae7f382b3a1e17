"""Any single role may be killed, and Redis emptied, under a stream of writes: nothing acknowledged is lost."""

import time
from urllib.parse import quote

import httpx
import pytest

from tests.conftest import Service
from tests.faults.recovery import wait_until_ready
from tests.faults.roles import flush, kill
from tests.faults.stream import History, Stream

NAMESPACE = "faults"
SEARCHABLE_SECONDS = 30.0
ROLES = ("indexer", "embedder-0", "node-s0-r0", "node-s1-r1", "beat", "api", "cache", "broker", "postgres")


def _wait_until_indexed(service: Service, expected: int) -> None:
    until = time.monotonic() + SEARCHABLE_SECONDS
    status: dict[str, int] = {}
    while time.monotonic() < until:
        status = httpx.get(f"{service.url}/v1/namespaces/{NAMESPACE}", timeout=5).json()
        if status["pending"] == 0 and status["searchable"] == expected:
            break
        time.sleep(0.2)
    assert (status["count"], status["pending"], status["searchable"], status["quarantined"]) == (
        expected,
        0,
        expected,
        0,
    )


def _check_every_document(service: Service, history: History) -> None:
    with httpx.Client(base_url=service.url, timeout=15) as client:
        for doc_id, text in history.live.items():
            body = {"query": text, "namespace": NAMESPACE, "top_k": 1, "include": ["text"]}
            answer = client.post("/v1/search", json=body).json()
            assert answer["partial"] is False
            assert [(hit["id"], hit["text"]) for hit in answer["hits"]] == [(doc_id, text)]
        for doc_id in history.deleted:
            path = f"/v1/vectors/{quote(doc_id, safe='')}"
            assert client.get(path, params={"namespace": NAMESPACE}).status_code == 404


@pytest.mark.slow
def test_nothing_acknowledged_is_lost_and_nothing_deleted_comes_back(service: Service) -> None:
    stream = Stream(service.url, NAMESPACE, seed=20)
    try:
        time.sleep(2)
        for role in ROLES:
            kill(service, role)
            time.sleep(1)
            wait_until_ready(service)
        flush(service, "REDIS_URL", "CACHE_URL")
        time.sleep(2)
    finally:
        history = stream.stop()
    wait_until_ready(service)
    _wait_until_indexed(service, expected=len(history.live))
    _check_every_document(service, history)
    assert history.resurrected == []
    assert history.server_errors == []
    # The stream goes as fast as the machine: one write in five leaves a document more.
    assert len(history.live) > 15
    assert len(history.deleted) > 10
