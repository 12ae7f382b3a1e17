"""What processes, servers and disks of the instance hold, sampled through the whole run."""

import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from redis.exceptions import RedisError

from tests.chaos.cluster import NODES, Cluster
from tests.chaos.processes import Usage, usage

_EVERY_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class ProcessSample:
    at: float
    role: str
    usage: Usage


@dataclass(frozen=True, slots=True)
class StoreSample:
    """Bytes in a Redis, or below the folder of a node."""

    at: float
    store: str
    size_bytes: int


class Sampler:
    """Runs from the constructor until `stop`."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._stopping = threading.Event()
        self.processes: list[ProcessSample] = []
        self.stores: list[StoreSample] = []
        self._thread = threading.Thread(target=self._run, name="sampler")
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stopping.wait(_EVERY_SECONDS):
            now = time.monotonic()
            for role, pid in self._cluster.processes().items():
                found = usage(pid)
                if found:
                    self.processes.append(ProcessSample(now, role, found))
            self.stores += [StoreSample(now, store, size) for store, size in self._stores()]

    def _stores(self) -> Iterator[tuple[str, int]]:
        for name, client in (("broker", self._cluster.broker()), ("cache", self._cluster.cache())):
            with suppress(RedisError), client:
                yield name, client.info("memory")["used_memory"]
        for node in NODES:
            yield node, sum(_size(path) for path in self._cluster.node_folder(node).rglob("*"))


def _size(path: Path) -> int:
    """0 for a file that was removed meanwhile."""
    try:
        return path.stat().st_size
    except OSError:
        return 0
