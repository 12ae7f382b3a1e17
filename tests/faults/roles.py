"""The processes of a running instance, killed or frozen by the names of their roles."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from redis import Redis
from redis.exceptions import RedisError

from supervisor import instance
from supervisor.instance import Instance
from tests.conftest import Service

_ANSWER_SECONDS = 2


def running(service: Service) -> Instance:
    """What `instance.json` says, as of now."""
    found = instance.load(service.var)
    assert found is not None
    return found


def processes(service: Service) -> dict[str, int]:
    """Role -> process id, as of now."""
    return dict(running(service).processes)


def kill(service: Service, *roles: str) -> None:
    pids = processes(service)
    for role in roles:
        os.kill(pids[role], signal.SIGKILL)


def kill_living(service: Service, *roles: str) -> None:
    """Kill those of the roles that are not between two lives."""
    pids = running(service).leftovers()
    for role in roles:
        if role in pids:
            with suppress(ProcessLookupError):
                os.kill(pids[role], signal.SIGKILL)


def flush(service: Service, *names: str) -> None:
    """Empty the servers with these addresses, REDIS_URL or CACHE_URL; one that is dead comes back empty anyway."""
    addresses = running(service).environment
    for name in names:
        with suppress(RedisError), Redis.from_url(addresses[name], socket_timeout=_ANSWER_SECONDS) as redis:
            redis.flushall()


@contextmanager
def frozen(service: Service, *roles: str) -> Iterator[None]:
    """Stop the roles, and everything they started, for the duration of the block."""
    pids_of = processes(service)
    pids = [pid for role in roles for pid in _tree(pids_of[role])]
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
