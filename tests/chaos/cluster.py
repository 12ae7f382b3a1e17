"""The instance under test: 2 shards x 2 replicas of real processes behind proxies, and a model without weights."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import psycopg
from redis import Redis

from embedding_project.config import PROJECT_ROOT, SETTINGS
from supervisor import instance
from supervisor.launch import running_instance
from supervisor.ports import pick_free_port
from supervisor.services import ServiceUrls
from tests.chaos.processes import children
from tests.chaos.servers import SERVICES, OwnServers, Proxies
from tests.chaos.versions import FIRST, registration

MODEL, DIMENSION, MAX_TOKENS = "hashed-words", 32, 64
SHARDS, REPLICAS = 2, 2
PLANTED_FOLDER = Path(__file__).parent / "planted"
_API_PROCESSES = 2
_MANAGE_SECONDS = 180
_ANSWER_SECONDS = 2
NODES = tuple(f"node-s{shard}-r{replica}" for shard in range(SHARDS) for replica in range(REPLICAS))
ROLES = ("api", "indexer", "embedder-0", "beat", *NODES)


class NotRunning(Exception):
    """The process that was asked for is between two lives."""


class Servers(Protocol):
    """What is read of an instance to tell whether it is at rest."""

    def rows(self, sql: str, *parameters: Any) -> list[tuple[Any, ...]]: ...

    def broker(self) -> "Redis": ...


@dataclass(frozen=True, slots=True)
class Cluster:
    url: str
    var: Path
    servers: OwnServers
    proxies: Proxies

    @property
    def direct(self) -> ServiceUrls:
        """Past the proxies, for faults and checks."""
        return self.servers.urls

    def pid(self, role: str) -> int:
        """The process of a role or server. Raises NotRunning between two lives."""
        pid = self.servers.pid(role) if role in SERVICES else self._role_pids().get(role)
        if pid is None:
            raise NotRunning(role)
        return pid

    def processes(self) -> dict[str, int]:
        """Every role and server that lives now; workers of the api under names of their own."""
        roles = self._role_pids()
        workers = children(roles["api"]) if "api" in roles else []
        servers = {service: pid for service in SERVICES if (pid := self.servers.pid(service))}
        return roles | servers | {f"api-worker-{place}": pid for place, pid in enumerate(sorted(workers))}

    def _role_pids(self) -> dict[str, int]:
        running = instance.load(self.var)
        return {} if running is None else running.leftovers()

    def broker(self) -> "Redis":
        return Redis.from_url(self.direct.redis_url, socket_timeout=_ANSWER_SECONDS)

    def cache(self) -> "Redis":
        return Redis.from_url(self.direct.cache_url, socket_timeout=_ANSWER_SECONDS)

    def rows(self, sql: str, *parameters: Any) -> list[tuple[Any, ...]]:
        """The answer of Postgres itself. Raises psycopg.Error."""
        options = f"-c statement_timeout={1000 * _ANSWER_SECONDS}"
        with psycopg.connect(
            self.direct.database_url, connect_timeout=_ANSWER_SECONDS, autocommit=True, options=options
        ) as connection:
            return connection.execute(sql.encode(), parameters or None).fetchall()

    def outside_environment(self) -> dict[str, str]:
        """Variables for commands that take the addresses from `instance.json`."""
        return {**os.environ, **dict.fromkeys(SETTINGS, ""), "VAR_DIR": str(self.var)}

    def node_folder(self, node: str) -> Path:
        return self.var / "nodes" / node.removeprefix("node-")


@contextmanager
def running_cluster(seed: int, planted: str = "") -> Iterator[Cluster]:
    """A ready cluster with the model of the run registered, gone afterwards with all its data."""
    with ExitStack() as stack:
        folder = Path(tempfile.mkdtemp(prefix="embeddings-chaos-"))
        folder.chmod(0o755)  # an unprivileged Postgres must be able to enter
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        servers = OwnServers(folder / "servers")
        stack.callback(servers.stop)
        proxies = Proxies(servers.urls, seed)
        stack.callback(proxies.stop)
        var = folder / "instance"
        environ = _environment(proxies.urls, planted)
        url = stack.enter_context(running_instance(var=var, port=pick_free_port(), environ=environ, say=lambda _: None))
        cluster = Cluster(url, var, servers, proxies)
        _manage(cluster, *registration(MODEL, FIRST, DIMENSION, MAX_TOKENS), "--activate")
        yield cluster


def _environment(urls: ServiceUrls, planted: str) -> dict[str, str]:
    settings = {
        "DATABASE_URL": urls.database_url,
        "REDIS_URL": urls.redis_url,
        "CACHE_URL": urls.cache_url,
        "SHARDS": str(SHARDS),
        "REPLICAS": str(REPLICAS),
        "API_PROCESSES": str(_API_PROCESSES),
        "API_THREADS": "32",
        "EMBED_DEVICE": "cpu",
        "EMBED_THREADS": "1",
    }
    bug = {"PLANTED_BUG": planted, "PYTHONPATH": str(PLANTED_FOLDER)} if planted else {}
    return {**dict.fromkeys(SETTINGS, ""), **settings, **bug}


def _manage(cluster: Cluster, *command: str) -> None:
    """Run a management command."""
    done = subprocess.run(
        (sys.executable, "manage.py", *command),
        cwd=PROJECT_ROOT,
        env=cluster.outside_environment(),
        capture_output=True,
        text=True,
        timeout=_MANAGE_SECONDS,
    )
    if done.returncode:
        raise RuntimeError(f"manage.py {command[0]} failed: {done.stderr}")
