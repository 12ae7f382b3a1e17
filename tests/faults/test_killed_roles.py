"""Any single role may be killed, and Redis emptied, under a stream of writes: nothing acknowledged is lost."""

import time
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from tests.conftest import Service
from tests.faults.recovery import wait_until_ready, whole_answer
from tests.faults.roles import flush, kill
from tests.faults.stream import History, Stream

NAMESPACE = "faults"
PATIENCE_SECONDS = 60.0
LEAST_LIVE, LEAST_DELETED = 16, 11
ROLES = ("indexer", "embedder-0", "node-s0-r0", "node-s1-r1", "beat", "api", "cache", "broker", "postgres")


def _wait_until_indexed(service: Service, expected: int) -> None:
    wanted = {"count": expected, "pending": 0, "searchable": expected, "quarantined": 0}

    def status() -> dict[str, Any]:
        answer = httpx.get(f"{service.url}/v1/namespaces/{NAMESPACE}", timeout=30).json()
        return {name: answer.get(name) for name in wanted}

    _until(lambda: status() == wanted, lambda: f"{status()} is not {wanted}")


def _until(condition: Callable[[], bool], problem: Callable[[], str]) -> None:
    give_up = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        if time.monotonic() > give_up:
            pytest.fail(problem())
        time.sleep(0.2)


def _check_every_document(service: Service, history: History) -> None:
    with httpx.Client(base_url=service.url, timeout=30) as client:
        for doc_id, text in history.live.items():
            body = {"query": text, "namespace": NAMESPACE, "top_k": 1, "include": ["text"]}
            answer = whole_answer(client, body)
            assert [(hit["id"], hit["text"]) for hit in answer["hits"]] == [(doc_id, text)]
        for doc_id in history.deleted:
            path = f"/v1/vectors/{quote(doc_id, safe='')}"
            assert client.get(path, params={"namespace": NAMESPACE}).status_code == 404


def _is_enough(history: History) -> bool:
    return len(history.live) >= LEAST_LIVE and len(history.deleted) >= LEAST_DELETED


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
        # The stream goes as fast as the machine.
        _until(lambda: _is_enough(stream.history), lambda: f"too little was written: {stream.history}")
    finally:
        history = stream.stop()
    wait_until_ready(service)
    _wait_until_indexed(service, expected=len(history.live))
    _check_every_document(service, history)
    assert history.resurrected == []
    assert history.server_errors == []
