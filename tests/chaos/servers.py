"""Postgres, broker and cache of a run, and the proxies through which the instance reaches them.

The servers are started and watched from a thread of their own, the proxies live in the event loop of another.
"""

import asyncio
import os
import threading
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

from supervisor.fleet import Fleet
from supervisor.logs import Console
from supervisor.secrets import load_or_create
from supervisor.services import Launcher, ServiceUrls
from tests.chaos.introductions import application_name, nameless
from tests.chaos.proxy import Condition, FaultProxy

SERVICES = ("postgres", "broker", "cache")
_START_SECONDS = 120.0
_TICK_SECONDS = 0.1
Result = TypeVar("Result")


class OwnServers:
    """Three servers that are started again when they die. `urls` lead to them past the proxies."""

    def __init__(self, var: Path) -> None:
        (var / "logs").mkdir(parents=True)
        self._var = var
        self._fleet = Fleet(var / "logs", Console(None))
        self._stopping = threading.Event()
        self._started = threading.Event()
        self._failure: Exception | None = None
        self.urls = ServiceUrls()
        self._thread = threading.Thread(target=self._run, name="own-servers")
        self._thread.start()
        self._started.wait(_START_SECONDS)
        if self._failure:
            raise self._failure

    def pid(self, service: str) -> int | None:
        """None between two lives."""
        return self._fleet.pids().get(service)

    def stop(self) -> None:
        self._stopping.set()
        self._thread.join()

    def _run(self) -> None:
        try:
            self.urls = self._launcher().start(ServiceUrls())
        except Exception as error:  # noqa: BLE001
            self._failure = error
        self._started.set()
        while not self._failure and not self._stopping.wait(_TICK_SECONDS):
            self._fleet.tick()
        self._fleet.stop()

    def _launcher(self) -> Launcher:
        return Launcher(
            var_dir=self._var,
            secrets=load_or_create(self._var),
            fleet=self._fleet,
            console=Console(None),
            pause=time.sleep,
            path=os.environ["PATH"],
            connections=500,
        )


class Proxies:
    """One proxy per server. `urls` lead through them."""

    def __init__(self, direct: ServiceUrls, seed: int) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxies")
        self._thread.start()
        targets = {"postgres": direct.database_url, "broker": direct.redis_url, "cache": direct.cache_url}
        self._proxies = {
            service: FaultProxy(_port(url), application_name if service == "postgres" else nameless, seed)
            for service, url in targets.items()
        }
        through = {
            service: url.replace(f":{_port(url)}/", f":{self._do(self._proxies[service].start())}/")
            for service, url in targets.items()
        }
        self.urls = ServiceUrls(
            database_url=through["postgres"], redis_url=through["broker"], cache_url=through["cache"]
        )

    def set(self, service: str, condition: Condition, peer: str = "") -> None:
        self._call(lambda: self._proxies[service].set(condition, peer))

    def clear(self, service: str, peer: str = "") -> None:
        self._call(lambda: self._proxies[service].clear(peer))

    def reset(self, service: str, peer: str = "") -> None:
        self._call(lambda: self._proxies[service].reset(peer))

    def stop(self) -> None:
        for proxy in self._proxies.values():
            self._do(proxy.stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _call(self, work: Callable[[], None]) -> None:
        async def run() -> None:
            work()

        self._do(run())

    def _do(self, work: Coroutine[Any, Any, Result]) -> Result:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(10)


def _port(url: str) -> int:
    port = urlsplit(url).port
    assert port is not None
    return port
