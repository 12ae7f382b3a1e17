"""The files in which the processes of an instance share their counters, and what becomes of those of the dead.

Each process maps files of its own, named after its process id. When it is gone, its gauges are dropped and its counters
are added to one file. So restarts and autoscaling let neither the gauges nor the number of files grow.
"""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from prometheus_client import CollectorRegistry, Metric
from prometheus_client.mmap_dict import MmapedDict
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

_SETTLED_SECONDS = 10.0
"""A file that changed later may be one that its process is just about to map."""
_LOCK_WAIT_SECONDS = 1.0
_LOCK_PAUSE_SECONDS = 0.01
_MERGED = "merged"


class MetricFiles(Collector):
    """The metrics of all processes that write into `directory`."""

    def __init__(self, directory: str, settled_seconds: float = _SETTLED_SECONDS) -> None:
        self._directory = Path(os.path.realpath(directory))
        self._settled_seconds = settled_seconds

    def collect(self) -> list[Metric]:
        with self._lock(fcntl.LOCK_EX, 0) as mine:
            if mine:
                self._retire_dead()
        # Whoever dies with the lock frees it; one that is frozen costs the wait, and at worst a figure counted twice.
        with self._lock(fcntl.LOCK_SH, _LOCK_WAIT_SECONDS):
            files = MultiProcessCollector(CollectorRegistry(), path=str(self._directory))  # type: ignore[no-untyped-call]
            return list(files.collect())  # type: ignore[no-untyped-call]

    @contextmanager
    def _lock(self, kind: int, seconds: float) -> Iterator[bool]:
        """Whether the lock was free within that time; it is held for the block."""
        until = time.monotonic() + seconds
        with (self._directory / "lock").open("a") as file:
            while True:
                try:
                    fcntl.flock(file, kind | fcntl.LOCK_NB)
                except BlockingIOError:
                    if time.monotonic() < until:
                        time.sleep(_LOCK_PAUSE_SECONDS)
                        continue
                    yield False
                    return
                yield True
                return

    def _retire_dead(self) -> None:
        for file in self._directory.glob("*_*.db"):
            kind, owner = file.stem.split("_")[0], file.stem.rsplit("_", 1)[1]
            if not owner.isdecimal() or time.time() - file.stat().st_mtime < self._settled_seconds:
                continue
            if _maps(int(owner), file):
                continue
            if kind != "gauge":
                _add(file, file.with_name(f"{kind}_{_MERGED}.db"))
            file.unlink()


def _maps(pid: int, file: Path) -> bool:
    """Whether process `pid` has `file` open. Its number alone says little: another process may have it by now."""
    try:
        return str(file) in Path(f"/proc/{pid}/maps").read_text()
    except PermissionError:
        return True
    except OSError:
        return False


def _add(file: Path, total: Path) -> None:
    """Add the counters in `file` to those in `total`."""
    sums = MmapedDict(str(total))  # type: ignore[no-untyped-call]
    try:
        for key, value, _, _ in MmapedDict.read_all_values_from_file(str(file)):  # type: ignore[no-untyped-call]
            before, _ = sums.read_value(key)  # type: ignore[no-untyped-call]
            sums.write_value(key, before + value, 0.0)  # type: ignore[no-untyped-call]
    finally:
        sums.close()  # type: ignore[no-untyped-call]
