"""One instance from its first process to its last: services, migrations, roles, readiness, restarts, stop."""

import os
import shutil
import threading
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from embedding_project.config import INSTANCE_FILE, STAND_INS, Config, read_config
from embedding_project.threads.usable_cores import usable_cores
from supervisor import instance, postgres, readiness, roles, secrets
from supervisor.errors import StartError, Stopped
from supervisor.fleet import Fleet
from supervisor.live_shards import LiveShards
from supervisor.logs import Console, tail
from supervisor.ports import held_port
from supervisor.process import Child, ProcessSpec, run_once
from supervisor.services import Launcher, ServiceUrls
from supervisor.start_checks import refuse_one_redis
from supervisor.welcome import welcome

READY_SECONDS = 180.0
_TICK_SECONDS = 0.2
# A node takes two seconds of a core to start. Of nodes that no search waits for, a new one starts every so many seconds
# divided by the cores, so that a third of the machine is busy with it.
_START_CORE_SECONDS = 6.0
# Between two lines about what is still missing: it changes with every role that has started.
_REPORT_SECONDS = 5.0
# With the back-off this is some ten seconds of dying: waiting longer would not help.
_HOPELESS_DEATHS = 6
# What `bootstrap` says, last of all, when it found an empty database.
_FRESH = "fresh database"


def read_settings(environ: Mapping[str, str]) -> Config:
    """The configuration with stand-ins for what the start will find out. Raises ConfigError."""
    return read_config({**STAND_INS, **{name: value for name, value in environ.items() if value}})


def given(value: str) -> str:
    """A value of `read_settings`, empty if it is one of the stand-ins."""
    return "" if value in STAND_INS.values() else value


class Supervisor:
    """Runs an instance in the calling thread, from which all its processes are started."""

    def __init__(self, environ: Mapping[str, str], console: Console, stop: threading.Event) -> None:
        """`stop` may be set at any moment, by a signal handler for example; `run` then ends the instance."""
        self._environ = environ
        self._console = console
        self._stop = stop
        self._config = read_settings(environ)
        self._log_dir = self.var_dir / "logs"
        self._services = Fleet(self._log_dir, console, self._save)
        self._roles = Fleet(self._log_dir, console, self._save)
        self._was_ready = False
        self._node_shards = self._config.shards
        self._nodes_to_start: list[ProcessSpec] = []
        self._next_node_at = 0.0

    @property
    def var_dir(self) -> Path:
        return self._config.var_dir

    @property
    def url(self) -> str:
        return readiness.local_url(self._config.host, self._config.port)

    @property
    def public_url(self) -> str:
        return readiness.public_url(self._config)

    def run(self) -> bool:
        """Start everything, watch it until `stop` is set, stop everything; True when it was ready in between.

        Raises StartError, ConfigError.
        """
        self.var_dir.mkdir(parents=True, exist_ok=True)
        self._log_dir.mkdir(mode=0o700, exist_ok=True)
        with instance.lock(self.var_dir):
            if remains := instance.clear_stale(self.var_dir):
                self._console.say(remains)
            # Again, because values of the dead instance are no longer a fallback.
            self._config = read_settings(self._environ)
            self._node_shards = self._config.shards
            try:
                # From here on, so that a port that is taken is said at once and is not taken by others meanwhile.
                with held_port(self._config.host, self._config.port):
                    self._start()
                    self._watch()
            except Stopped:
                self._console.say("stopping")
            finally:
                self._take_down()
        return self._was_ready

    def _start(self) -> None:
        config = self._config
        if not (config.on_loopback or config.api_key or self._may_hold_keys()):
            raise StartError(f"HOST is {config.host}: set API_KEY before listening beyond loopback")
        refuse_one_redis(config)
        own = secrets.load_or_create(self.var_dir)
        urls = self._start_services(own)
        self._config = replace(
            config,
            database_url=urls.database_url,
            redis_url=urls.redis_url,
            cache_url=urls.cache_url,
            secret_key=given(config.secret_key) or own.secret_key,
            metrics_dir=str(self._fresh_metrics_dir()),
        )
        self._save()
        table = roles.role_table(self._config, self._environ)
        # A role without a database need not wait for it: embedders take longest to load.
        for spec in table:
            if "DATABASE_URL" not in spec.env:
                self._roles.add(spec)
        sign_in = self._prepare(own)
        try:
            for spec in table:
                if "DATABASE_URL" in spec.env:
                    self._roles.add(spec)
            self._wait_until_ready()
            self._was_ready = True
            self._console.say(f"ready: {self.url}")
            if self._config.https:
                told = f"clients: {self.public_url}, through the proxy that ends TLS; they are refused here"
                self._console.say(told)
            self._console.hint(welcome(self._config))
        finally:
            # Last, where it is seen; and also after a start that failed, because the next one finds a used database.
            if sign_in:
                self._console.confide(sign_in)
        self._console.end_report()

    def _may_hold_keys(self) -> bool:
        """Whether the database of this instance was there before: only its registry knows then."""
        return bool(given(self._config.database_url)) or postgres.data_major(self.var_dir) is not None

    def _start_services(self, own: secrets.Secrets) -> ServiceUrls:
        launcher = Launcher(
            var_dir=self.var_dir,
            secrets=own,
            fleet=self._services,
            console=self._console,
            pause=self._pause,
            path=self._environ.get("PATH", os.defpath),
            connections=roles.database_connections(self._config),
        )
        config = self._config
        return launcher.start(
            ServiceUrls(
                database_url=given(config.database_url),
                redis_url=given(config.redis_url),
                cache_url=given(config.cache_url),
            )
        )

    def _fresh_metrics_dir(self) -> Path:
        folder = self.var_dir / "metrics"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(mode=0o700)
        return folder

    def _prepare(self, own: secrets.Secrets) -> str:
        """Bring the database to the shape this code expects; how to sign in when it is a new one."""
        chosen = self._config.admin_password
        bootstrap = self._manage("bootstrap --migrate", ADMIN_PASSWORD=chosen or own.admin_password)
        # An existing database keeps the administrator it has, whose password may be another one.
        if not tail(bootstrap.log_path, lines=1).startswith(_FRESH):
            return ""
        shown = f"{own.admin_password} (shown once, kept in {self.var_dir / secrets.SECRETS_FILE})"
        password = "as ADMIN_PASSWORD says" if chosen else shown
        return f"admin: {self.public_url}/admin/ user admin password {password}"

    def _manage(self, command: str, **extra: str) -> Child:
        spec = roles.management(command, self._config, self._environ, **extra)
        self._console.say(f"running {spec.name}")
        child = run_once(spec, self._log_dir, self._console, self._pause)
        if code := child.exit_code():
            raise StartError(f"{spec.name} failed with exit code {code}:\n{tail(child.log_path)}")
        return child

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + READY_SECONDS
        live = LiveShards(self._config.database_url, self._config.shards)
        said, say_at = "", 0.0
        while not (answer := readiness.probe(self._config.host, self._config.port)).ready:
            if str(answer) != said and time.monotonic() >= say_at:
                said, say_at = str(answer), time.monotonic() + _REPORT_SECONDS
                self._console.say(f"waiting for: {said}")
            hopeless = any(child.deaths >= _HOPELESS_DEATHS for child in self._roles.children)
            if hopeless or time.monotonic() > deadline:
                raise StartError(f"not ready, missing: {answer}{self._evidence(answer)}")
            # SHARDS may be that of the layout on standby: the one that answers has other nodes.
            self._follow_layouts(live, apart_seconds=0.0)
            self._tick()

    def _evidence(self, answer: readiness.Readiness) -> str:
        """The last log lines of the processes that died or are missing."""
        suspects = [child for child in self._roles.children if child.deaths or child.spec.name in answer.missing]
        return "".join(map(_last_words, suspects))

    def _watch(self) -> None:
        live = LiveShards(self._config.database_url, self._node_shards)
        apart_seconds = _START_CORE_SECONDS / usable_cores()
        while True:
            self._tick()
            self._follow_layouts(live, apart_seconds)

    def _follow_layouts(self, live: LiveShards, apart_seconds: float) -> None:
        """While the documents move to another number of shards, those of both layouts need nodes."""
        before, wanted = self._node_shards, live.count()
        if wanted != before:
            self._node_shards = wanted
            self._console.say(f"nodes for {wanted} shards, before for {before}")
            self._nodes_to_start += roles.nodes(self._config, self._environ, range(before, wanted))
            gone = {spec.name for spec in roles.nodes(self._config, self._environ, range(wanted, before))}
            self._nodes_to_start = [spec for spec in self._nodes_to_start if spec.name not in gone]
            if gone:
                self._roles.end([child for child in self._roles.children if child.spec.name in gone])
        while self._nodes_to_start and time.monotonic() >= self._next_node_at:
            self._roles.add(self._nodes_to_start.pop(0))
            self._next_node_at = time.monotonic() + apart_seconds

    def _tick(self) -> None:
        self._pause(_TICK_SECONDS)
        self._services.tick()
        self._roles.tick()

    def _pause(self, seconds: float) -> None:
        if self._stop.wait(seconds):
            raise Stopped

    def _save(self) -> None:
        current = instance.Instance(
            supervisor_pid=os.getpid(),
            url=self.url,
            processes={**self._services.pids(), **self._roles.pids()},
            environment=roles.environment(self._config),
        )
        try:
            current.save(self.var_dir)
        except OSError as error:
            # A full disk makes the file old; it must not take a working instance down.
            self._console.say(f"cannot write {self.var_dir / INSTANCE_FILE}: {error.strerror}")

    def _take_down(self) -> None:
        began = time.monotonic()
        self._roles.stop()
        self._services.stop()
        (self.var_dir / INSTANCE_FILE).unlink(missing_ok=True)
        self._console.say(f"stopped in {time.monotonic() - began:.1f} s")


def _last_words(child: Child) -> str:
    return f"\n--- {child.log_path}\n{tail(child.log_path)}"
