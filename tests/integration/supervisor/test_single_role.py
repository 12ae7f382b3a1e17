"""A real role that was started by itself, with the few variables that it needs and in a foreign folder."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from django.utils import timezone
from redis import Redis

from embedding_project.broker.liveness import alive
from embedding_project.config import load_config
from embeddings_app.models import Layout, LayoutStatus, ModelRegistry, ShardReplica
from supervisor.ports import pick_free_port
from supervisor.process import last_steps
from tests.conftest import ROOT

PATIENCE_SECONDS = 120.0


@contextmanager
def started(*arguments: str, folder: Path, **settings: str) -> Iterator[subprocess.Popen[bytes]]:
    """It ends with the tests, however these end."""
    ending = last_steps(os.getpid(), signal.SIGKILL, nice=0)
    command = (sys.executable, str(ROOT / "manage.py"), "role", *arguments)
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, cwd=folder, env=settings, stderr=log, preexec_fn=ending)  # noqa: PLW1509
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def checked(*arguments: str, **settings: str) -> str:
    """What `--check` complains of."""
    command = (sys.executable, "manage.py", "role", *arguments, "--check")
    done = subprocess.run(command, cwd=ROOT, env=settings, capture_output=True, text=True, timeout=PATIENCE_SECONDS)
    assert done.returncode == bool(done.stderr)
    return done.stderr


def counters(port: int) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=PATIENCE_SECONDS) as answer:
        return str(answer.read().decode())


def test_an_embedder_comes_alive_in_place_of_the_command_and_ends_when_told(redis: Redis, tmp_path: Path) -> None:
    config = load_config()
    port = pick_free_port()
    settings = {"REDIS_URL": config.redis_url, "CACHE_URL": config.cache_url, "VAR_DIR": str(tmp_path)}
    settings["METRICS_PORT"] = str(port)
    with started("embedder", "7", folder=tmp_path, **settings) as process:
        give_up = time.monotonic() + PATIENCE_SECONDS
        while "embedder-7" not in alive(redis):
            assert process.poll() is None, (tmp_path / "log").read_text()
            assert time.monotonic() < give_up, (tmp_path / "log").read_text()
            time.sleep(0.1)
        assert b"embed.ctl.7" in Path(f"/proc/{process.pid}/cmdline").read_bytes()
        assert checked("embedder", "7", **settings) == ""
        assert checked("embedder", "8", **settings) == "role embedder: error: embedder-8 does not report\n"
        with socket.create_connection(("127.0.0.1", port)):  # who says nothing holds up nobody for long
            assert "# TYPE embedder_tokens_total counter" in counters(port)
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE_SECONDS) == 0, (tmp_path / "log").read_text()


def test_what_is_missing_is_named_and_nothing_starts(tmp_path: Path) -> None:
    with started("node", folder=tmp_path, NODE_SHARD="0") as process:
        assert process.wait(PATIENCE_SECONDS) == 2
    missing = ("DATABASE_URL", "REDIS_URL", "NODE_REPLICA")
    lines = ["role node: configuration:", *(f"  - {name}: not set" for name in missing)]
    assert (tmp_path / "log").read_text() == "\n".join([*lines, ""])


def test_a_port_for_counters_that_is_taken_is_named(tmp_path: Path) -> None:
    servers = {"REDIS_URL": "redis://127.0.0.1:1", "CACHE_URL": "redis://127.0.0.1:2", "VAR_DIR": str(tmp_path)}
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with started("embedder", "0", folder=tmp_path, METRICS_PORT=str(port), **servers) as process:
            assert process.wait(PATIENCE_SECONDS) == 1
    assert f"METRICS_PORT: port {port} on 0.0.0.0 is taken" in (tmp_path / "log").read_text()


@pytest.mark.parametrize(
    ("state", "age", "found"),
    [
        # From a clock ahead, so that it stays fresh while the check starts.
        ("ready", -100, ""),
        ("loading", -100, "role node: error: node-s1-r0 loads its shard\n"),
        ("ready", 60, "role node: error: node-s1-r0 does not report\n"),
    ],
)
def test_a_node_is_checked_by_its_heartbeat(database: str, state: str, age: int, found: str) -> None:
    layout = Layout.objects.get(status=LayoutStatus.ACTIVE)
    ShardReplica.objects.create(
        layout=layout, model_version=ModelRegistry.objects.all()[0], shard=1, replica=0, epoch=uuid.uuid4(),
        state=state, heartbeat=timezone.now() - timedelta(seconds=age),
    )  # fmt: skip
    place = {"NODE_SHARD": "1", "NODE_REPLICA": "0"}
    assert checked("node", DATABASE_URL=database, REDIS_URL=load_config().redis_url, **place) == found


def test_a_server_that_is_away_fails_the_check() -> None:
    away = {"REDIS_URL": "redis://127.0.0.1:1", "CACHE_URL": "redis://127.0.0.1:2"}
    assert checked("embedder", "0", **away) == "role embedder: error: cannot be asked: ConnectionError\n"
