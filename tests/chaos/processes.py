"""Processes of the run as the kernel shows them. Only pids below processes that the run started are ever signalled."""

import os
import signal
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    resident_bytes: int
    descriptors: int
    threads: int


def children(pid: int) -> list[int]:
    """The direct children of a process, of all its threads; empty once it is gone."""
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        with suppress(OSError):
            found += map(int, task.read_text(encoding="ascii").split())
    return found


def tree(pid: int) -> list[int]:
    """A process and everything below it, parents first."""
    return [pid, *(below for child in children(pid) for below in tree(child))]


def send(pid: int, number: signal.Signals) -> bool:
    """Signal a process; False when it is gone already."""
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return False
    return True


def usage(pid: int) -> Usage | None:
    """What a process holds; None once it is gone."""
    folder = Path(f"/proc/{pid}")
    try:
        resident = int((folder / "statm").read_text(encoding="ascii").split()[1]) * _PAGE_BYTES
        return Usage(
            resident_bytes=resident,
            descriptors=len(list((folder / "fd").iterdir())),
            threads=len(list((folder / "task").iterdir())),
        )
    except OSError:
        return None
