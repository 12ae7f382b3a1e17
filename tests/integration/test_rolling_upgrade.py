"""The schema of this checkout arrives beneath a service that runs the code of the schema before, and goes on serving.

First the tables change, then an api of this checkout joins the roles of the old one. Clients write and search all the
while, and no request fails.
"""

import itertools
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import psycopg
import pytest

from embedding_project.config import INSTANCE_FILE
from supervisor.process import last_steps
from tests.conftest import free_port, outside_environment, scratch_directory
from tests.integration.previous_code import Neighbours, neighbours

PATIENCE_SECONDS = 180.0
ROUNDS = 10
LATE = {"too_slow", "overloaded", "embedder_unavailable", "index_unavailable"}
"""What a search may hear on a busy machine, and be sent again. If the schema did not fit, it would hear so always."""


class Clients:
    """For each api one that writes a document, searches until it is found, and writes the next one."""

    def __init__(self) -> None:
        self.failures: list[str] = []
        self.rounds = 0
        self._numbers = itertools.count()
        self._counting = threading.Lock()
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []

    def use(self, url: str) -> None:
        thread = threading.Thread(target=self._run, args=(url,))
        thread.start()
        self._threads.append(thread)

    def go_on(self) -> None:
        """Return when every client has done some more rounds."""
        enough = self.rounds + ROUNDS * len(self._threads)
        _wait_for(lambda: self.rounds >= enough or bool(self.failures))
        assert self.failures == []

    def stop(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _run(self, url: str) -> None:
        with httpx.Client(base_url=url, timeout=60) as http:
            while not self._stop.is_set() and not self.failures:
                try:
                    self._round(http)
                except (AssertionError, httpx.HTTPError, LookupError) as error:
                    self.failures.append(f"{url}: {error!r}")

    def _round(self, http: httpx.Client) -> None:
        name = f"n/{next(self._numbers)}"
        document = {"id": name, "text": f"Owl number {name} hunts at night.", "metadata": {"name": name}}
        written = http.post("/v1/upsert", json={**document, "namespace": "rolling"})
        assert written.status_code == 200, written.text
        question = {"namespace": "rolling", "query": "owls", "filters": {"name": name}}
        until = time.monotonic() + PATIENCE_SECONDS
        hits: list[str] = []
        while not hits:
            found = http.post("/v1/search", json=question)
            assert found.status_code == 200 or found.json()["error"]["code"] in LATE, found.text
            assert time.monotonic() < until, found.text
            hits = [hit["id"] for hit in found.json().get("hits", [])]
            time.sleep(0.05)
        assert hits == [name]
        with self._counting:
            self.rounds += 1


def _wait_for(happened: Callable[[], bool]) -> None:
    until = time.monotonic() + PATIENCE_SECONDS
    while not happened():
        assert time.monotonic() < until
        time.sleep(0.1)


@contextmanager
def started(command: tuple[str, ...], folder: Path, environ: dict[str, str], log: Path) -> Iterator[None]:
    """A process that is there while it works; it ends with the tests, however these end."""
    ending = last_steps(os.getpid(), signal.SIGTERM, nice=0)
    with log.open("wb") as output:
        process = subprocess.Popen(
            (sys.executable, "manage.py", *command), cwd=folder, env=environ, stdout=output, stderr=output,
            preexec_fn=ending,  # noqa: PLW1509
        )  # fmt: skip
    try:
        yield
        assert process.poll() is None, log.read_text()
    finally:
        process.terminate()
        process.wait(PATIENCE_SECONDS)


def _answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/readyz", timeout=5).status_code == 200
    except httpx.HTTPError:
        return False


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Neighbours:
    return neighbours(tmp_path_factory.mktemp("neighbour"))


def test_no_request_fails_while_the_schema_arrives_beneath_the_code_before_it(both: Neighbours) -> None:
    assert not (both.old / "embeddings_app" / "migrations" / f"{both.migration}.py").exists()
    var, port, new_port = scratch_directory(), free_port(), free_port()
    environ = {**os.environ, **outside_environment(var), "SHARDS": "1", "REPLICAS": "1", "EMBED_MAX_WAIT_SECONDS": "30"}
    url, new_url = f"http://127.0.0.1:{port}", f"http://127.0.0.1:{new_port}"
    clients = Clients()
    with started(("up", "--port", str(port)), both.old, environ, var / "old.log"):
        _wait_for(lambda: _answers(url))
        try:
            clients.use(url)
            clients.go_on()
            running = json.loads((var / INSTANCE_FILE).read_text())["environment"]
            assert both.migration not in applied(running["DATABASE_URL"])
            migrate = (sys.executable, "manage.py", "bootstrap", "--migrate")
            done = subprocess.run(migrate, cwd=both.new, env=environ, capture_output=True, text=True, timeout=120)
            assert done.returncode == 0, done.stderr
            assert both.migration in applied(running["DATABASE_URL"])
            clients.go_on()
            role = {**environ, **running, "PORT": str(new_port)}
            with started(("role", "api"), both.new, role, var / "new.log"):
                _wait_for(lambda: _answers(new_url))
                clients.use(new_url)
                clients.go_on()
                clients.stop()
        finally:
            clients.stop()
    assert clients.failures == []


def applied(database_url: str) -> set[str]:
    with psycopg.connect(database_url) as connection:
        found = connection.execute("SELECT name FROM django_migrations WHERE app = 'embeddings_app'").fetchall()
    return {name for (name,) in found}
