"""Time goes back under a running instance: a restore, and everything answers as of the backup, and goes on."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from supervisor import instance
from supervisor.launch import running_instance
from tests.conftest import EXTERNAL_DIMENSION, EXTERNAL_MODEL, Service, free_port, outside_environment

NAMESPACE = "restored"
CONVERGENCE_SECONDS = 60.0
_NOT_AT_THE_HEAD = """
SELECT 1 FROM shard_counter c JOIN layout l ON l.id = c.layout_id CROSS JOIN log_epoch e
LEFT JOIN shard_replica r ON (r.layout_id, r.model_version_id, r.shard, r.epoch, r.applied_seq)
                           = (c.layout_id, c.model_version_id, c.shard, e.epoch, c.head)
WHERE r.state IS DISTINCT FROM 'ready'
"""
_OTHER_CONTENT = """
from embeddings_app.models import ShardReplica
from tests.integration.shard_digests import ShardDigest, shard_digest
for row in ShardReplica.objects.all():
    if shard_digest(row.layout_id, row.model_version_id, row.shard) != ShardDigest(row.digest, row.documents):
        print(row)
"""


@contextmanager
def small_instance(var: Path) -> Iterator[tuple[Service, "Client"]]:
    """Two shards with one replica each, and a client of it."""
    var.chmod(0o755)
    environ = outside_environment(var) | {"SHARDS": "2", "REPLICAS": "1", "LOG_LEVEL": "INFO"}
    with (
        running_instance(var=var, port=free_port(), environ=environ) as url,
        httpx.Client(base_url=url, timeout=30.0) as http,
    ):
        yield Service(url, var), Client(http)


def vector(number: int) -> list[float]:
    """The direction that document `number` lies in: near to it is nothing else."""
    direction = [0.01] * EXTERNAL_DIMENSION
    direction[number % EXTERNAL_DIMENSION] = 1.0
    direction[(number // EXTERNAL_DIMENSION) % EXTERNAL_DIMENSION] += 0.5
    return direction


class Client:
    """What the drill asks of an instance, as often as needed while it says 503."""

    def __init__(self, http: httpx.Client) -> None:
        http.timeout = httpx.Timeout(20)
        self._http = http

    def write(self, *documents: tuple[str, int], wait: str = "searchable") -> dict[str, Any]:
        body = [{"id": doc_id, "vector": vector(number), "metadata": {"n": number}} for doc_id, number in documents]
        request = {"namespace": NAMESPACE, "model_id": EXTERNAL_MODEL, "documents": body, "wait": wait}
        answer: dict[str, Any] = self._answer(lambda: self._http.post("/v1/upsert", json=request)).json()
        return answer

    def delete(self, doc_id: str) -> None:
        self._answer(lambda: self._http.delete(f"/v1/vectors/{doc_id}", params={"namespace": NAMESPACE}))

    def everything(self) -> dict[str, int]:
        """Document id -> its number, of all that a search finds."""
        body = {"vector": vector(0), "namespace": NAMESPACE, "top_k": 1000, "include": ["metadata"]}
        answer = self._answer(lambda: self._http.post("/v1/search", json=body)).json()
        assert answer["partial"] is False
        return {hit["id"]: hit["metadata"]["n"] for hit in answer["hits"]}

    def search_with(self, token: str) -> httpx.Response:
        return self._http.post("/v1/search", json={"vector": vector(0), "namespace": NAMESPACE, "min_token": token})

    def _answer(self, call: Callable[[], httpx.Response]) -> httpx.Response:
        """The first answer that is not "later"."""
        until = time.monotonic() + CONVERGENCE_SECONDS
        while (answer := call()).status_code == 503 and time.monotonic() < until:
            time.sleep(0.2)
        assert answer.status_code == 200, answer.text
        return answer


def database(service: Service) -> psycopg.Connection[tuple[Any, ...]]:
    running = instance.load(service.var)
    assert running is not None
    return psycopg.connect(running.environment["DATABASE_URL"], autocommit=True)


def wait_until_converged(service: Service) -> None:
    """Every replica is at the head of its log, and holds what SQL says."""
    until = time.monotonic() + CONVERGENCE_SECONDS
    with database(service) as connection:
        while connection.execute(_NOT_AT_THE_HEAD).fetchall():
            assert time.monotonic() < until
            time.sleep(0.1)
    assert service.manage("shell", "--verbosity", "0", "--command", _OTHER_CONTENT) == ""


@pytest.mark.slow
def test_a_restore_takes_a_running_instance_back_and_another_one_there(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    directory = tmp_path_factory.mktemp("backups") / "first"
    with small_instance(tmp_path_factory.mktemp("instance")) as (service, client):
        register(service)
        client.write(*((f"d{number}", number) for number in range(40)))
        client.delete("d0")
        token = client.write(("d1", 101))["token"]
        expected = client.everything()
        service.manage("backup", str(directory))

        client.write(*((f"later{number}", number) for number in range(40)), ("d2", 102))
        client.delete("d3")
        assert client.everything() != expected
        service.manage("restore", str(directory), "--replace")

        assert client.everything() == expected
        assert client.search_with(token).json()["error"]["code"] == "token_expired"
        wait_until_converged(service)
        new_token = client.write(("d4", 104), ("new", 1))["token"]
        assert client.everything() == expected | {"d4": 104, "new": 1}
        assert client.search_with(new_token).status_code == 200
        client.delete("new")
        wait_until_converged(service)

    with small_instance(tmp_path_factory.mktemp("other")) as (service, client):
        service.manage("restore", str(directory))
        assert client.everything() == expected
        wait_until_converged(service)
        client.write(("d4", 104))
        assert client.everything() == expected | {"d4": 104}


def register(service: Service) -> None:
    options = ("--model-id", EXTERNAL_MODEL, "--type", "external", "--dimension", str(EXTERNAL_DIMENSION))
    service.manage("register_model", *options, "--activate")
