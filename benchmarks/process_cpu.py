"""Processor time of the roles of an instance, read from /proc: which of them a measurement kept busy."""

import os
import time
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

from supervisor import instance

OTHERS = "others"
_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
_IDLE_COLUMNS = (3, 4)
_LAST_COLUMN = 8
"""Columns of /proc/stat from here on are contained in earlier ones."""


def cpu_seconds(var: Path) -> dict[str, float]:
    """Role -> processor seconds since its start, its child processes included."""
    running = instance.load(var)
    parents, ticks = _process_table()
    children = defaultdict(list)
    for pid, parent in parents.items():
        children[parent].append(pid)
    used = {}
    for role, root in (running.processes if running else {}).items():
        pending, total = [root], 0
        while pending:
            pid = pending.pop()
            total += ticks.get(pid, 0)
            pending += children[pid]
        used[role] = total / _TICKS_PER_SECOND
    return used


class CpuWatch:
    """Who used the processors of this machine between its making and `stop`."""

    def __init__(self, var: Path) -> None:
        self._var = var
        self._roles = cpu_seconds(var)
        self._machine, self._own = _machine_seconds(), _own_seconds()
        self._began = time.monotonic()

    def stop(self) -> dict[str, float]:
        """Role -> cores it kept busy, and `others`: everything that is neither the instance nor its measurement."""
        seconds = time.monotonic() - self._began
        cores = cores_between(self._roles, cpu_seconds(self._var), seconds)
        used = (_machine_seconds() - self._machine) - (_own_seconds() - self._own)
        return {**cores, OTHERS: max(used / seconds - sum(cores.values()), 0.0)}


def cores_between(before: Mapping[str, float], after: Mapping[str, float], seconds: float) -> dict[str, float]:
    """Role -> cores it kept busy, the busiest first."""
    cores = {role: (after[role] - before.get(role, 0.0)) / seconds for role in after}
    return dict(sorted(cores.items(), key=lambda item: -item[1]))


def describe(cores: Mapping[str, float]) -> str:
    """The roles that matter, in words."""
    return ", ".join(f"{role} {share:.2f}" for role, share in cores.items() if share >= 0.02)


def wait_until_idle(
    var: Path, *, cores: float = 0.15, quiet_seconds: float = 3.0, limit_seconds: float = 120.0
) -> float:
    """Return when the whole instance has been idle for a while, or after the limit; the seconds it took."""
    began = time.monotonic()
    while time.monotonic() - began < limit_seconds:
        before = cpu_seconds(var)
        time.sleep(quiet_seconds)
        if sum(cores_between(before, cpu_seconds(var), quiet_seconds).values()) < cores:
            break
    return time.monotonic() - began


def _machine_seconds() -> float:
    """Busy seconds of all cores since boot."""
    first_line = Path("/proc/stat").read_text(encoding="utf-8").split("\n", 1)[0]
    ticks = [int(value) for value in first_line.split()[1 : 1 + _LAST_COLUMN]]
    return sum(value for column, value in enumerate(ticks) if column not in _IDLE_COLUMNS) / _TICKS_PER_SECOND


def _own_seconds() -> float:
    """Of this process and those of its children that have ended, which includes load generators."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def _process_table() -> tuple[dict[int, int], dict[int, int]]:
    """pid -> parent, pid -> ticks used by it and by its children that have ended."""
    parents, ticks = {}, {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            fields = (entry / "stat").read_text(encoding="utf-8").rpartition(")")[2].split()
        except OSError:
            continue  # it ended meanwhile
        parents[int(entry.name)] = int(fields[1])
        ticks[int(entry.name)] = sum(map(int, fields[11:15]))
    return parents, ticks
