"""The servers of the tests that use the database or Redis from their own process: one Postgres, two Redis for a run.

The apps read their addresses when they are imported, so the addresses are chosen before anything runs. Each process
of the run has a database of its own, copied from a migrated one, and Redis databases of its own.
"""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
from psycopg import sql

from embedding_project.config import PROJECT_ROOT
from supervisor.fleet import Fleet
from supervisor.logs import Console
from supervisor.ports import pick_free_port
from supervisor.postgres import DATABASE
from supervisor.secrets import Secrets, load_or_create
from supervisor.services import Launcher, ServiceUrls

REDIS_DATABASES = 16
"""As many as Redis has when nobody says how many."""


@dataclass(frozen=True, slots=True)
class Servers:
    """Where the servers of this run are, or will be."""

    var: Path
    secrets: Secrets
    ports: tuple[int, int, int]

    @classmethod
    def choose(cls, var: Path) -> "Servers":
        return cls(var, load_or_create(var), (pick_free_port(), pick_free_port(), pick_free_port()))

    def environment(self, database: str = DATABASE, number: int = 0) -> dict[str, str]:
        """The addresses of one database and of Redis database `number`."""
        postgres, broker, cache = (f"127.0.0.1:{port}" for port in self.ports)
        return {
            "DATABASE_URL": f"postgresql://{DATABASE}:{self.secrets.database_password}@{postgres}/{database}",
            "REDIS_URL": f"redis://:{self.secrets.broker_password}@{broker}/{number}",
            "CACHE_URL": f"redis://:{self.secrets.cache_password}@{cache}/{number}",
        }

    @contextmanager
    def running(self) -> Iterator[str]:
        """Start them, and bring the database that is copied to its shape; gives the address of that one."""
        (self.var / "logs").mkdir()
        console = Console(None)
        fleet = Fleet(self.var / "logs", console)
        ports = iter(self.ports)
        launcher = Launcher(
            var_dir=self.var,
            secrets=self.secrets,
            fleet=fleet,
            console=console,
            pause=time.sleep,
            path=os.environ["PATH"],
            connections=500,
            pick_port=lambda: next(ports),
        )
        try:
            urls = launcher.start(ServiceUrls())
            self._migrate()
            yield urls.database_url
        finally:
            fleet.stop()

    def _migrate(self) -> None:
        done = subprocess.run(
            [sys.executable, "manage.py", "bootstrap", "--migrate"],
            cwd=PROJECT_ROOT,
            env={**os.environ, **self.environment()},
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0, done.stderr


def copy_database(template_url: str, name: str) -> None:
    """Make a database like the migrated one."""
    server = urlsplit(template_url)._replace(path="/postgres").geturl()
    statement = sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(name), sql.Identifier(DATABASE))
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(statement)
