"""The processes of a running instance, killed or frozen by the names of their roles."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from supervisor import instance
from tests.conftest import Service


def processes(service: Service) -> dict[str, int]:
    """Role -> process id, as of now."""
    running = instance.load(service.var)
    assert running is not None
    return dict(running.processes)


def kill(service: Service, *roles: str) -> None:
    pids = processes(service)
    for role in roles:
        os.kill(pids[role], signal.SIGKILL)


@contextmanager
def frozen(service: Service, *roles: str) -> Iterator[None]:
    """Stop the roles, and everything they started, for the duration of the block."""
    running = processes(service)
    pids = [pid for role in roles for pid in _tree(running[role])]
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


def _tree(pid: int) -> list[int]:
    """A process and everything below it."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(below for child in children for below in _tree(int(child)))]
