"""Documents move to another number of shards under searches and upserts, while nodes and the command are killed."""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from itertools import count
from threading import Event, Thread
from typing import Any

import httpx
import pytest

from embedding_project.config import PROJECT_ROOT
from tests.conftest import EXTERNAL_DIMENSION, Service, outside_environment
from tests.faults.recovery import LATE, whole_answer
from tests.faults.roles import kill, processes
from tests.faults.searchers import Searchers

NAMESPACE = "resharding"
FIRST, SHARDS = 400, 3
ATTEMPTS = 3
"""At a switch that no search feels."""
PATIENCE_SECONDS = 120.0
SEARCH = {"vector": [1.0] * EXTERNAL_DIMENSION, "namespace": NAMESPACE, "top_k": 10}


def document(number: int) -> dict[str, Any]:
    vector = [1.0 + ((number >> place) & 1) for place in range(EXTERNAL_DIMENSION)]
    return {"id": f"d{number:05}", "vector": vector, "metadata": {"number": number}}


class Writer:
    """Upserts a document after another until it is stopped; each is acknowledged when searches find it."""

    def __init__(self, client: httpx.Client, model_id: str) -> None:
        self.acknowledged = FIRST
        self.faults: list[str] = []
        self._client, self._model_id = client, model_id
        self._stopping = Event()
        self._thread = Thread(target=self._run)
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        self._thread.join()

    def _run(self) -> None:
        for number in count(FIRST):
            if self._stopping.wait(0.02):
                return
            answer = self._client.post("/v1/upsert", json=upsert_body([number], self._model_id, "indexed"))
            if answer.status_code != 200:
                self.faults.append(answer.text)
                return
            self.acknowledged = number + 1


def upsert_body(numbers: list[int], model_id: str, wait: str) -> dict[str, Any]:
    return {
        "namespace": NAMESPACE,
        "model_id": model_id,
        "documents": [document(number) for number in numbers],
        "wait": wait,
    }


@pytest.fixture
def client(service: Service, external_model: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=service.url, timeout=30) as client:
        for first in range(0, FIRST, 200):
            body = upsert_body(list(range(first, first + 200)), external_model, "searchable")
            assert client.post("/v1/upsert", json=body).status_code == 200
        yield client


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def found(client: httpx.Client) -> set[str]:
    """Every document that an exact search finds."""
    ids: set[str] = set()
    for first in range(0, 5_000, 500):
        filters = {"number": {"gte": first, "lt": first + 500}}
        answer = whole_answer(client, {**SEARCH, "top_k": 500, "exact": True, "filters": filters})
        ids |= {hit["id"] for hit in answer["hits"]}
    return ids


def all_are_found(client: httpx.Client, documents: int) -> None:
    expected = {document(number)["id"] for number in range(documents)}
    until(lambda: found(client) >= expected)


def reshard(service: Service, *arguments: str) -> str:
    return service.manage("reshard", *arguments)


def switched_twice(service: Service, client: httpx.Client, searchers: Searchers, writer: Writer) -> set[int]:
    """Over to the other layout and back; how the searches beside it were answered."""
    began = time.monotonic()
    for _ in range(2):
        reshard(service, "switch")
        all_are_found(client, writer.acknowledged)
    return {answer.status for answer in searchers.since(began)}


def test_documents_move_under_traffic_while_processes_die(
    service: Service, client: httpx.Client, external_model: str
) -> None:
    shards = client.get("/readyz").json()["checks"]["shards"]["detail"].count("shard ")
    searchers, writer = Searchers(service.url, SEARCH, clients=2), Writer(client, external_model)
    try:
        command = subprocess.Popen(
            [sys.executable, "manage.py", "reshard", "run", "--shards", str(SHARDS)],
            cwd=PROJECT_ROOT,
            env=outside_environment(service.var),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        until(lambda: f"node-s{SHARDS - 1}-r0" in processes(service))
        command.kill()
        command.wait()
        kill(service, f"node-s{SHARDS - 1}-r0", "node-s0-r1")
        assert "replicas ready" in reshard(service, "show")
        assert f"{SHARDS} x" in reshard(service, "run", "--shards", str(SHARDS))
        all_are_found(client, writer.acknowledged)
        switched = [switched_twice(service, client, searchers, writer)]
        while len(switched) < ATTEMPTS and switched[-1] != {200}:
            switched.append(switched_twice(service, client, searchers, writer))
    finally:
        writer.stop()
        answers = searchers.stop()
    assert writer.faults == []
    # A machine that stands still for two seconds fails a search, but not beside each switch, and few of all.
    assert switched[-1] == {200}, switched
    failed = [answer.code for answer in answers if answer.status != 200]
    assert set(failed) <= LATE
    assert 100 * len(failed) <= len(answers), failed
    assert not any(answer.partial for answer in answers), "both layouts answer at the switch"
    # Other tests count the shards of this instance.
    reshard(service, "switch")
    reshard(service, "drop")
    until(lambda: f"node-s{SHARDS - 1}-r0" not in processes(service))
    all_are_found(client, writer.acknowledged)
    detail = client.get("/readyz").json()["checks"]["shards"]["detail"]
    assert detail.count("shard ") == shards
