"""Every role as `deploy/compose.yaml` and the manifests start it, by its own command line with its own variables and
nothing else, as processes of this machine: together they embed a text, and write and find a document.

What the files leave to the place comes from here: addresses, secrets, ports, the number of a pod.
"""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from psycopg import sql
from redis import Redis

from embedding_project.config import load_config
from supervisor.ports import pick_free_port
from supervisor.process import last_steps
from tests.conftest import ROOT
from tests.unit.deploy.started import Started, of_compose, of_kubernetes

PATIENCE_SECONDS = 180.0
KEY = "sk_" + "a" * 40
_OF_COMPOSE = re.compile(r"\$\{(\w+)(?::-([^}]*)|:\?[^}]*)?\}")
_OF_KUBERNETES = re.compile(r"\$\((\w+)\)")


@pytest.fixture
def place(redis: Redis, tmp_path: Path) -> Iterator[dict[str, str]]:
    """What a place gives: servers with nothing in them, and secrets."""
    config = load_config()
    server, _, own = config.database_url.rpartition("/")
    name = f"{own}_deployed"
    with psycopg.connect(f"{server}/postgres", autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        try:
            yield {
                "DATABASE_URL": f"{server}/{name}",
                "REDIS_URL": config.redis_url,
                "CACHE_URL": config.cache_url,
                "SECRET_KEY": "only for this test " * 3,
                "API_KEY": KEY,
                "ADMIN_PASSWORD": "only-for-this-test",
                "PORT": str(pick_free_port()),
                "POD_IP": "127.0.0.1",
                "POD_INDEX": "0",
                "NODE_REPLICA": "0",
                # The proxy is on this machine.
                "TRUSTED_PROXIES": "127.0.0.1",
            }
        finally:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))
            redis.flushdb()


def variables_of(one: Started, place: Mapping[str, str], folder: Path) -> dict[str, str]:
    """The variables that the files name, and those of the image."""
    given = {**place, "METRICS_PORT": str(pick_free_port())}
    own = {name: given.get(name, _filled(value, given)) for name, value in one.variables.items()}
    # Of `${NAME:-}` what nobody sets stays empty, and a variable of the manifests may be made of others.
    own = {name: _OF_KUBERNETES.sub(lambda found: own[found[1]], value) for name, value in own.items()}
    return own | {"VAR_DIR": str(folder), "MODEL_ROOT": str(folder / "models"), "PATH": os.environ["PATH"]}


def _filled(value: str, given: Mapping[str, str]) -> str:
    return _OF_COMPOSE.sub(lambda found: given.get(found[1], found[2] or ""), value)


@contextmanager
def running(one: Started, place: Mapping[str, str], folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """It ends with the tests, however these end."""
    folder.mkdir()
    variables = variables_of(one, place, folder)
    command = [_OF_KUBERNETES.sub(lambda found: variables[found[1]], word) for word in one.command]
    ending = last_steps(os.getpid(), signal.SIGKILL, nice=0)
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            (sys.executable, str(ROOT / "manage.py"), *command), cwd=ROOT, env=variables, stdout=log, stderr=log,
            preexec_fn=ending,  # noqa: PLW1509
        )  # fmt: skip
    try:
        yield process
    finally:
        process.terminate()
        process.wait(PATIENCE_SECONDS)


def until(happened: Callable[[], bool], roles: Mapping[Path, subprocess.Popen[bytes]]) -> None:
    give_up = time.monotonic() + PATIENCE_SECONDS
    while not happened():
        for folder, role in roles.items():
            assert role.poll() is None, (folder / "log").read_text()
        assert time.monotonic() < give_up, [(folder / "log").read_text()[-2_000:] for folder in roles]
        time.sleep(0.2)


@pytest.mark.parametrize("started", [of_compose(), of_kubernetes()], ids=["compose", "kubernetes"])
def test_all_roles_together_embed_write_and_search(
    started: list[Started], place: dict[str, str], tmp_path: Path
) -> None:
    (bootstrap,) = [one for one in started if one.command[0] == "bootstrap"]
    with running(bootstrap, place, tmp_path / "bootstrap") as process:
        assert process.wait(PATIENCE_SECONDS) == 0, (tmp_path / "bootstrap" / "log").read_text()
    with ExitStack() as stack:
        roles = {
            tmp_path / one.where: stack.enter_context(running(one, place, tmp_path / one.where))
            for one in started
            if one.command[0] == "role"
        }
        url = f"http://127.0.0.1:{place['PORT']}"
        headers = {"Authorization": f"Bearer {KEY}", "X-Forwarded-Proto": "https"}
        client = stack.enter_context(httpx.Client(base_url=url, headers=headers, timeout=30.0))
        until(lambda: _answer(client, "/v1/embed", {"inputs": ["a red fox"]}) is not None, roles)
        document = {"id": "notes/1", "text": "Foxes live in dens.", "wait": "searchable"}
        until(
            lambda: (_answer(client, "/v1/upsert", document) or _NO_RESULT)["results"][0]["state"] == "searchable",
            roles,
        )
        question = {"query": "where do foxes sleep?", "allow_partial": False}
        until(lambda: _found(_answer(client, "/v1/search", question)) == ["notes/1"], roles)
        assert (
            httpx.post(f"{url}/v1/search", json={}, headers={"X-Forwarded-Proto": "https"}, timeout=30.0).status_code
            == 401
        )


def _found(answer: dict[str, Any] | None) -> list[str] | None:
    return [hit["id"] for hit in answer["hits"]] if answer else None


_NO_RESULT: dict[str, Any] = {"results": [{"state": ""}]}


def _answer(client: httpx.Client, path: str, body: object) -> dict[str, Any] | None:
    """None while roles are starting."""
    try:
        answer = client.post(path, json=body)
    except httpx.TransportError:
        return None
    if answer.status_code in (429, 503):
        return None
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found
