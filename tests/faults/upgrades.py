"""A model of an instance with some thousand documents, led from version to version while the instance is disturbed."""

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import psycopg
import pytest
from redis import Redis

from tests.chaos.final_state import read_state, unrest
from tests.conftest import REPLICAS, Service, outside_environment
from tests.faults.recovery import whole_answer
from tests.faults.roles import running
from tests.loaded_commands import Run, loaded_commands

MODEL, NAMESPACE = "upgraded", "upgrades"
DIMENSION = 16
PATIENCE_SECONDS = 240.0
_ANSWER_SECONDS = 5
_BATCH = 250
_CHUNKS = """
SELECT c.id, c.embedded FROM reembed_chunk c JOIN reembed_run r ON r.id = c.run_id JOIN model_registry v
ON v.id = r.model_version_id WHERE v.model_id = %s AND v.version = %s
"""


@dataclass(frozen=True, slots=True)
class Upgrades:
    """What the tests do with the model of the module, and what they look at. All of it bears every outage."""

    service: Service
    texts: dict[str, str]
    """Document id -> the text that was acknowledged last."""
    run: Run
    """Runs a command of manage.py."""

    def register(self, version: int) -> None:
        """Add the version: an encoder of the same kind, whose prompts make its vectors others."""
        prompt = f"version {version}: "
        self.take(
            version,
            "draft",
            *("register_model", "--model-id", MODEL, "--type", "transformers", "--artifact", "hashing:"),
            *("--dimension", str(DIMENSION), "--query-prompt", prompt, "--document-prompt", prompt),
        )

    def take(self, version: int, statuses: str, *command: str) -> None:
        """Run the command, again and again, until the version has one of the statuses."""
        said: list[str] = []

        def taken() -> bool:
            if self.status(version) in statuses.split():
                return True
            said.append(self.run(*command).stderr[-300:])
            return self.status(version) in statuses.split()

        wait_until(taken, lambda: f"{command} did not make version {version} {statuses}: {said[-1]}")

    def status(self, version: int) -> str:
        """Empty for a version that is not there."""
        found = self.rows("SELECT status FROM model_registry WHERE model_id = %s AND version = %s", MODEL, version)
        return str(found[0][0]) if found else ""

    def active_and_next(self) -> tuple[int, int]:
        """The version that answers, and the number of the next one to be registered."""
        found = self.rows(
            "SELECT max(version) FILTER (WHERE status = 'active'), max(version) + 1 FROM model_registry "
            "WHERE model_id = %s",
            MODEL,
        )
        return int(found[0][0]), int(found[0][1])

    def wait_for(self, version: int, status: str) -> None:
        wait_until(lambda: self.status(version) == status, lambda: f"{version} is not {status}: {self.runs()}")

    def finished_chunks(self, version: int) -> dict[int, int]:
        """Key of each finished chunk of the run -> how many documents it embedded."""
        return dict(self.rows(f"{_CHUNKS} AND c.finished_at IS NOT NULL", MODEL, version))

    def embedded(self, version: int) -> int:
        """Documents that all chunks of the run have embedded so far."""
        return sum(count for _, count in self.rows(_CHUNKS, MODEL, version))

    def runs(self) -> list[tuple[Any, ...]]:
        """How far each run is, for messages."""
        return self.rows("SELECT model_version_id, state, wave, reached_key, last_key, problem FROM reembed_run")

    def rows(self, sql: str, *parameters: Any) -> list[tuple[Any, ...]]:
        """The answer of Postgres, which may be between two lives."""
        until = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                with psycopg.connect(
                    running(self.service).environment["DATABASE_URL"], connect_timeout=_ANSWER_SECONDS, autocommit=True
                ) as connection:
                    return connection.execute(sql.encode(), parameters or None).fetchall()
            except psycopg.OperationalError:
                if time.monotonic() > until:
                    raise
                time.sleep(0.1)

    def broker(self) -> "Redis":
        return Redis.from_url(running(self.service).environment["REDIS_URL"], socket_timeout=_ANSWER_SECONDS)

    def wait_for_rest(self) -> None:
        """Until nothing waits, no live version lacks a vector, and all replicas hold what Postgres holds."""
        wait_until(lambda: not self.unrest(), lambda: f"no rest: {self.unrest()}")

    def unrest(self) -> list[str]:
        return unrest(read_state(self), REPLICAS)

    def check_answers(self, version: int, ids: Iterable[str]) -> None:
        """Search the version for the text of each document; nothing may be nearer than the document itself."""
        with httpx.Client(base_url=self.service.url, timeout=30) as client:
            for doc_id in ids:
                body = {"query": self.texts[doc_id], "namespace": NAMESPACE, "top_k": 1, "model_version": version}
                answer = whole_answer(client, body)
                assert answer["model_version"] == version
                assert [hit["id"] for hit in answer["hits"]] == [doc_id]
                assert answer["hits"][0]["score"] == pytest.approx(1.0, abs=1e-4)

    def stored(self) -> dict[str, str]:
        """Document id -> text, of what lives in Postgres."""
        return dict(
            self.rows(
                "SELECT d.doc_id, d.text FROM document d JOIN namespace n ON n.id = d.namespace_id "
                "WHERE n.name = %s AND NOT d.deleted",
                NAMESPACE,
            )
        )


def wait_until(condition: Callable[[], bool], problem: Callable[[], str], every_seconds: float = 0.1) -> None:
    """Fails with the problem once the patience is over."""
    until = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        if time.monotonic() > until:
            pytest.fail(problem())
        time.sleep(every_seconds)


@contextmanager
def upgrades(service: Service, documents: int) -> Iterator[Upgrades]:
    """The model with its first version active, and this many documents in it."""
    texts = {f"before-{number}": f"what document {number} says" for number in range(documents)}
    with loaded_commands({**outside_environment(service.var)}, knows_instance=True) as run:
        found = Upgrades(service, texts, run)
        found.register(1)
        found.take(1, "probed", "models", "probe", MODEL, "1")
        found.take(1, "active", "models", "switch", MODEL, "1")
        _write(service, texts)
        found.wait_for_rest()
        yield found


def _write(service: Service, texts: dict[str, str]) -> None:
    ids = list(texts)
    with httpx.Client(base_url=service.url, timeout=60) as client:
        for place in range(0, len(ids), _BATCH):
            documents = [{"id": doc_id, "text": texts[doc_id]} for doc_id in ids[place : place + _BATCH]]
            body = {"namespace": NAMESPACE, "model_id": MODEL, "documents": documents}
            client.post("/v1/upsert", json=body).raise_for_status()
