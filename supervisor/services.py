"""Provides Postgres, broker and cache: the ones the environment names, else servers of the instance's own."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from supervisor import postgres, redis_server
from supervisor.account import database_account
from supervisor.binaries import choose_postgres, choose_redis
from supervisor.errors import NotAnswering, StartError
from supervisor.fleet import Fleet
from supervisor.logs import Console, tail
from supervisor.ports import pick_free_port
from supervisor.process import Child, Pause, ProcessSpec, run_once
from supervisor.redis_server import RedisServer
from supervisor.secrets import Secrets

START_SECONDS = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceUrls:
    """Where the three services are; an empty one is not given."""

    database_url: str = ""
    redis_url: str = ""
    cache_url: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Launcher:
    """What starting a service needs."""

    var_dir: Path
    secrets: Secrets
    fleet: Fleet
    console: Console
    pause: Pause
    path: str
    """The PATH the servers get; the rest of the environment is no business of theirs."""
    connections: int
    """How many an own Postgres takes at a time."""
    pick_port: Callable[[], int] = pick_free_port
    """Called for Postgres, for the broker and for the cache, in this order."""

    def start(self, given: ServiceUrls) -> ServiceUrls:
        """Start what is not given and return where all three answer. Raises StartError, Stopped."""
        return ServiceUrls(
            database_url=self._given("postgres", "DATABASE_URL", given.database_url, postgres.check)
            or self._start_postgres(),
            redis_url=self._given("broker", "REDIS_URL", given.redis_url, redis_server.check)
            or self._start_redis(redis_server.broker(self.pick_port(), self.secrets.broker_password)),
            cache_url=self._given("cache", "CACHE_URL", given.cache_url, redis_server.check)
            or self._start_redis(redis_server.cache(self.pick_port(), self.secrets.cache_password)),
        )

    def _given(self, name: str, variable: str, url: str, check: Callable[[str], None]) -> str:
        if url:
            try:
                check(url)
            except StartError as error:
                raise StartError(f"{name}: the server {variable} names {error}") from error
            self.console.say(f"{name}: the one {variable} names")
        return url

    def _start_postgres(self) -> str:
        binary = choose_postgres(postgres.data_major(self.var_dir))
        account = database_account()
        folder = postgres.prepare_folder(self.var_dir, account)
        cluster = postgres.Cluster(
            folder=folder,
            programs=postgres.prepare_programs(binary, folder, account),
            account=account,
            port=self.pick_port(),
            owner_password=self.secrets.database_owner_password,
            password=self.secrets.database_password,
            connections=self.connections,
        )
        running_as = f" as user {account.name}" if account else ""
        self.console.say(f"postgres: {binary}, DATABASE_URL is not set; port {cluster.port}{running_as}, {folder}")
        env = self._environment()
        postgres.refuse_or_clear_leftover(cluster.data, self.console)
        postgres.initialise(cluster, env, self._run)
        child = self.fleet.add(postgres.process(cluster, env))
        self._wait(child, lambda: postgres.ensure_database(cluster))
        return cluster.url

    def _start_redis(self, server: RedisServer) -> str:
        binary = choose_redis()
        variable = "REDIS_URL" if server.name == "broker" else "CACHE_URL"
        self.console.say(f"{server.name}: {binary}, {variable} is not set; port {server.port}")
        folder = self.var_dir / "redis"
        folder.mkdir(mode=0o700, exist_ok=True)
        child = self.fleet.add(redis_server.process(server, binary, folder, self._environment()))
        self._wait(child, lambda: redis_server.check(server.url))
        return server.url

    def _run(self, spec: ProcessSpec) -> Child:
        return run_once(spec, self.var_dir / "logs", self.console, self.pause)

    def _environment(self) -> dict[str, str]:
        return {"PATH": self.path, "LC_ALL": "C", "TZ": "UTC"}

    def _wait(self, child: Child, answers: Callable[[], None]) -> None:
        """Until the service answers. One that ends instead is not started again: its log says why."""
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                answers()
            except NotAnswering as error:
                reason = str(error)
            else:
                return
            code = child.exit_code()
            if code is not None or time.monotonic() > deadline:
                self.pause(0.1)  # lets the last lines reach the log
                why = f"ended with exit code {code}" if code is not None else f"did not answer: {reason}"
                raise StartError(f"{child.spec.name} {why}; {child.log_path} ends with\n{tail(child.log_path)}")
            self.pause(0.05)
