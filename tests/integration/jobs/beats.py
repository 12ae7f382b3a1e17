"""Beat processes of a test's own, what they send, and a way to Postgres that can fall silent for one or all of them."""

import asyncio
import json
import os
import re
import signal
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast
from urllib.parse import urlsplit

from redis import Redis

from embedding_project.config import load_config
from embedding_project.contracts.queues import INDEX_QUEUE
from supervisor.process import last_steps
from supervisor.roles import role_table
from tests.chaos.introductions import application_name
from tests.chaos.proxy import Condition, FaultProxy
from tests.conftest import ROOT
from tests.integration.indexing_steps import rows


@dataclass(frozen=True, slots=True)
class WayToPostgres:
    """A proxy, in a thread of its own."""

    proxy: FaultProxy
    loop: asyncio.AbstractEventLoop
    url: str

    @contextmanager
    def silent(self, name: str = "") -> Iterator[None]:
        """Nothing passes for this beat, or for any."""
        self.loop.call_soon_threadsafe(self.proxy.set, Condition(silent=True), name)
        try:
            yield
        finally:
            self.loop.call_soon_threadsafe(self.proxy.clear, name)


@contextmanager
def way_to_postgres() -> Iterator[WayToPostgres]:
    address = urlsplit(load_config().database_url)
    assert address.port
    proxy, loop = FaultProxy(address.port, application_name, seed=1), asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    port = asyncio.run_coroutine_threadsafe(proxy.start(), loop).result(60)
    way = address._replace(netloc=f"{address.username}:{address.password}@127.0.0.1:{port}")
    yield WayToPostgres(proxy, loop, way.geturl())
    asyncio.run_coroutine_threadsafe(proxy.stop(), loop).result(60)
    loop.call_soon_threadsafe(loop.stop)
    thread.join(60)
    loop.close()


@dataclass
class Beats:
    """Beats that share a schedule, and a queue that nobody else reads."""

    redis: Redis
    way: WayToPostgres
    metrics: Path
    running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    sent: list[tuple[float, str, str]] = field(default_factory=list)
    """When a message was seen, which beat sent it, and the job that it names."""

    def start(self, *names: str) -> None:
        spec = next(spec for spec in role_table(load_config(), os.environ) if spec.name == "beat")
        for name in names:
            env = {
                **spec.env,
                "ROLE": name,
                "PGAPPNAME": name,
                "DATABASE_URL": self.way.url,
                "PROMETHEUS_MULTIPROC_DIR": str(self.metrics),
            }
            # They end with the tests, however these end.
            ending = last_steps(os.getpid(), signal.SIGKILL, nice=0)
            self.running[name] = subprocess.Popen(spec.argv, env=env, cwd=ROOT, preexec_fn=ending)  # noqa: PLW1509

    def end(self) -> None:
        for process in self.running.values():
            process.kill()
            process.wait()

    def send_signal(self, name: str, number: int) -> None:
        self.running[name].send_signal(number)

    def watch(self, seconds: float) -> Counter[str]:
        """Take what is sent, for so long; sender -> sweeps among it."""
        until, before = time.monotonic() + seconds, len(self.sent)
        while time.monotonic() < until:
            while message := cast(bytes | None, self.redis.rpop(INDEX_QUEUE)):
                self._take(json.loads(message)["headers"])
            time.sleep(0.02)
        return Counter(sender for _, sender, job in self.sent[before:] if job == "sweep")

    def _take(self, headers: dict[str, str]) -> None:
        process = re.match(r"gen(\d+)@", headers["origin"])
        assert process
        names = {child.pid: name for name, child in self.running.items()}
        self.sent.append((time.monotonic(), names[int(process[1])], headers["task"].rpartition(".")[2]))

    def until_sent_by(self, name: str, seconds: float) -> None:
        """Take what is sent until a message of this beat."""
        began, before = time.monotonic(), len(self.sent)
        while name not in [sender for _, sender, _ in self.sent[before:]]:
            assert time.monotonic() - began < seconds, f"{name} sent nothing in time"
            self.watch(0.05)

    def until_one_sends(self, seconds: float) -> tuple[str, str]:
        """The beat that sends, and the other one, once both have asked Postgres."""
        until = time.monotonic() + seconds
        while not self.sent or self._connected() != set(self.running):
            assert time.monotonic() < until, "no beat sends, or only one is there"
            self.watch(0.1)
        sends = self.sent[-1][1]
        return sends, next(name for name in self.running if name != sends)

    def _connected(self) -> set[str]:
        found = rows("SELECT application_name FROM pg_stat_activity WHERE application_name = ANY(%s)", [*self.running])
        return {name for (name,) in found}

    def jobs(self) -> Counter[str]:
        """Job -> messages so far."""
        return Counter(job for _, _, job in self.sent)
