"""Real Postgres and Redis servers, started, killed and stopped by the supervisor's launcher."""

import io
import os
import shutil
import signal
import stat
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from supervisor import secrets
from supervisor.errors import StartError
from supervisor.fleet import Fleet
from supervisor.instance import start_ticks
from supervisor.logs import Console
from supervisor.services import Launcher, ServiceUrls

WRONG = "wrong-password"


class Services:
    """Three servers below a directory that, for root, the database user cannot enter: the hardest case."""

    def __init__(self, var_dir: Path) -> None:
        self.var_dir = var_dir
        self.said = io.StringIO()
        console = Console(self.said)
        (var_dir / "logs").mkdir(parents=True, exist_ok=True)
        self.fleet = Fleet(var_dir / "logs", console)
        self.launcher = Launcher(
            var_dir=var_dir,
            secrets=secrets.load_or_create(var_dir),
            fleet=self.fleet,
            console=console,
            pause=time.sleep,
            path=os.environ["PATH"],
            connections=500,
        )
        self.urls = ServiceUrls()

    def start(self) -> None:
        self.urls = self.launcher.start(ServiceUrls())

    def remove(self) -> None:
        self.fleet.stop()
        shutil.rmtree((self.var_dir / "postgres").resolve())


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    var_dir = tmp_path_factory.mktemp("instance")
    running = Services(var_dir)
    try:
        running.start()
        yield running
    finally:
        running.remove()


def connect(url: str) -> "redis.Redis":
    return redis.Redis.from_url(url, socket_timeout=30, retry=Retry(NoBackoff(), 0))


def until(services: Services, works: Callable[[], object]) -> None:
    deadline = time.monotonic() + 60
    while True:
        services.fleet.tick()
        try:
            works()
        except (psycopg.OperationalError, redis.RedisError):
            assert time.monotonic() < deadline, "did not come back within a minute"
            time.sleep(0.05)
        else:
            return


def query(url: str, statement: str) -> object:
    with psycopg.connect(url, connect_timeout=30, autocommit=True) as connection:
        cursor = connection.execute(statement.encode())
        return cursor.fetchone() if cursor.description else None


def test_it_is_said_which_servers_were_chosen_and_why(services: Services) -> None:
    said = services.said.getvalue()
    for name, variable in (("postgres", "DATABASE_URL"), ("broker", "REDIS_URL"), ("cache", "CACHE_URL")):
        assert any(line.startswith(f"{name}: ") and variable in line for line in said.splitlines())


def test_postgres_never_runs_as_root(services: Services) -> None:
    assert Path(f"/proc/{services.fleet.pids()['postgres']}").stat().st_uid != 0


def test_postgres_asks_for_the_password(services: Services) -> None:
    url = services.urls.database_url
    assert query(url, "SELECT current_user::text") == ("embeddings",)
    right = services.launcher.secrets.database_password
    for wrong in (url.replace(right, WRONG), url.replace(f":{right}", "")):
        with pytest.raises(psycopg.OperationalError):
            query(wrong, "SELECT 1")


def test_the_service_is_no_superuser_but_may_make_a_test_database(services: Services) -> None:
    statement = "SELECT rolsuper, rolcreatedb FROM pg_roles WHERE rolname = current_user"
    assert query(services.urls.database_url, statement) == (False, True)


@pytest.mark.parametrize(
    ("setting", "value"), [("fsync", "on"), ("synchronous_commit", "on"), ("max_connections", "500")]
)
def test_postgres_keeps_what_it_acknowledged(services: Services, setting: str, value: str) -> None:
    assert query(services.urls.database_url, f"SHOW {setting}") == (value,)


@pytest.mark.parametrize("name", ["redis_url", "cache_url"])
def test_redis_asks_for_the_password(services: Services, name: str) -> None:
    url: str = getattr(services.urls, name)
    with connect(url) as allowed:
        assert allowed.ping()
    for wrong in (url.replace(url.split("@")[0], f"redis://:{WRONG}"), f"redis://{url.split('@')[1]}"):
        with connect(wrong) as refused, pytest.raises(redis.AuthenticationError):
            refused.ping()


def test_broker_and_cache_have_their_policies_and_no_persistence(services: Services) -> None:
    for url, policy in ((services.urls.redis_url, "noeviction"), (services.urls.cache_url, "allkeys-lru")):
        with connect(url) as client:
            settings = {**client.config_get("maxmemory-policy"), **client.config_get("save")}
            assert settings == {"maxmemory-policy": policy, "save": ""}


def test_no_password_shows_in_the_process_list(services: Services) -> None:
    owned = services.launcher.secrets
    for pid in services.fleet.pids().values():
        command = Path(f"/proc/{pid}/cmdline").read_text(encoding="utf-8")
        assert not any(word in command for word in (owned.database_password, owned.broker_password))
    assert stat.S_IMODE((services.var_dir / "redis" / "broker.conf").stat().st_mode) == 0o600


def test_killed_servers_come_back_at_the_same_place_with_their_data(services: Services) -> None:
    urls = services.urls
    query(urls.database_url, "CREATE TABLE kept AS SELECT 42 AS answer")
    before = services.fleet.pids()
    for pid in before.values():
        os.kill(pid, signal.SIGKILL)
    time.sleep(0.05)
    until(services, lambda: query(urls.database_url, "SELECT 1"))
    until(services, lambda: connect(urls.redis_url).ping())
    until(services, lambda: connect(urls.cache_url).ping())
    assert not set(before.values()) & set(services.fleet.pids().values())
    assert query(urls.database_url, "SELECT answer FROM kept") == (42,)


def test_a_stop_leaves_nothing_and_the_next_start_finds_the_data(services: Services) -> None:
    pids = services.fleet.pids()
    services.fleet.stop()
    assert [pid for pid in pids.values() if start_ticks(pid) is not None] == []
    services.start()
    assert query(services.urls.database_url, "SELECT answer FROM kept") == (42,)


def test_given_servers_are_used_and_not_started(services: Services) -> None:
    count = len(services.fleet.children)
    assert services.launcher.start(services.urls) == services.urls
    assert len(services.fleet.children) == count


def test_a_given_server_that_does_not_answer_stops_the_start(services: Services) -> None:
    given = ServiceUrls(database_url="postgresql://x@127.0.0.1:1/x")
    with pytest.raises(StartError, match="postgres: the server DATABASE_URL names does not answer"):
        services.launcher.start(given)
