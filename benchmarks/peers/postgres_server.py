"""A Postgres of its own for pgvector, with the settings the service gives its own Postgres."""

import os
import secrets
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.errors import BenchmarkError
from supervisor import postgres
from supervisor.account import database_account
from supervisor.binaries import Binary, find_postgres
from supervisor.errors import NotAnswering
from supervisor.logs import Console
from supervisor.ports import pick_free_port
from supervisor.process import run_once

_START_SECONDS = 30.0
_STOP_SECONDS = 20.0
_CONNECTIONS = 20
"""More than the clients of a measurement."""


@dataclass(frozen=True, slots=True)
class VectorServer:
    url: str
    """Of a superuser, who alone may create the extension."""
    pgbench: Path
    version: str


def with_pgvector() -> Binary:
    """A Postgres of this machine that has pgvector and pgbench. Raises BenchmarkError when there is none."""
    for binary in find_postgres():
        folder = binary.path.parent
        if (folder / "pgbench").exists() and (folder / "pg_config").exists():
            answer = subprocess.run((folder / "pg_config", "--sharedir"), capture_output=True, text=True, check=False)
            if (Path(answer.stdout.strip()) / "extension" / "vector.control").exists():
                return binary
    raise BenchmarkError("no Postgres of this machine has pgvector and pgbench")


@contextmanager
def vector_server(folder: Path) -> Iterator[VectorServer]:
    """A server in `folder` for the length of a block. Raises BenchmarkError, StartError."""
    binary = with_pgvector()
    account = database_account()
    folder.mkdir()
    home = postgres.prepare_folder(folder, account)
    cluster = postgres.Cluster(
        folder=home,
        programs=postgres.prepare_programs(binary, home, account),
        account=account,
        port=pick_free_port(),
        owner_password=secrets.token_hex(),
        password=secrets.token_hex(),
        connections=_CONNECTIONS,
    )
    environment = {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC"}
    logs = folder / "logs"
    logs.mkdir()
    postgres.initialise(cluster, environment, lambda spec: run_once(spec, logs, Console(None), time.sleep))
    spec = postgres.process(cluster, environment)
    process = subprocess.Popen(
        spec.argv,
        env=dict(spec.env),
        cwd=spec.cwd,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        user=account.uid if account else None,
        group=account.gid if account else None,
        extra_groups=[account.gid] if account else None,
    )
    try:
        _wait_until_up(cluster)
        version = ".".join(map(str, binary.version))
        yield VectorServer(cluster.owner_url, binary.path.with_name("pgbench"), version)
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(_STOP_SECONDS)


def _wait_until_up(cluster: postgres.Cluster) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while True:
        try:
            return postgres.ensure_database(cluster)
        except NotAnswering as error:
            if time.monotonic() > deadline:
                raise BenchmarkError(f"pgvector's Postgres {error}") from error
            time.sleep(0.2)
