"""`<var>/instance.json`: what runs in this directory, for other commands and for cleaning up after a crash.

Only a file lock tells whether an instance runs: the kernel drops it with its holder. The JSON file of a supervisor that
was killed stays until the next start.
"""

import fcntl
import json
import os
import signal
import struct
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path

from embedding_project.config import INSTANCE_FILE
from supervisor.errors import StartError
from supervisor.secrets import write_private

_LOCK_FILE = "supervisor.lock"
_FLOCK = struct.Struct("hhqqi0q")
"""`struct flock` of Linux: type, whence, start, length, pid."""
_LEFTOVER_GRACE_SECONDS = 4.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Instance:
    """The content of `instance.json`."""

    supervisor_pid: int
    url: str
    processes: Mapping[str, int]
    environment: Mapping[str, str]
    """Settings by variable name; `config.py` falls back to them."""
    started: Mapping[str, int | None] = field(default_factory=dict)
    """Kernel start time of each process, which tells it from a later one with the same pid."""

    def save(self, var_dir: Path) -> None:
        started = {name: start_ticks(pid) for name, pid in self.processes.items()}
        write_private(var_dir / INSTANCE_FILE, json.dumps({**asdict(self), "started": started}, indent=1))

    def leftovers(self) -> dict[str, int]:
        """Its processes that still live; meaningful once the supervisor is gone."""
        return {
            name: pid
            for name, pid in self.processes.items()
            if (ticks := self.started.get(name)) is not None and start_ticks(pid) == ticks
        }


def load(var_dir: Path) -> Instance | None:
    """The instance described in `var_dir`, running or not; None when there is none or the file is damaged."""
    try:
        return Instance(**json.loads((var_dir / INSTANCE_FILE).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def start_ticks(pid: int) -> int | None:
    """When a live process started, in kernel ticks since boot; None without such a process or without /proc."""
    try:
        after_name = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    except OSError:
        return None
    return None if after_name[0] == "Z" else int(after_name[19])


@contextmanager
def lock(var_dir: Path) -> Iterator[None]:
    """Be the only supervisor of `var_dir`. Raises StartError when there is one."""
    with only_holder(var_dir / _LOCK_FILE, lambda: _already_runs(var_dir)) as descriptor:
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, str(os.getpid()).encode(), 0)
        yield


@contextmanager
def only_holder(file: Path, refusal: Callable[[], str]) -> Iterator[int]:
    """Hold the lock on `file`; gives its descriptor. Raises StartError with `refusal` when another process holds it."""
    descriptor = os.open(file, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.fcntl(descriptor, fcntl.F_OFD_SETLK, _lock_request())
        except (BlockingIOError, PermissionError) as error:
            raise StartError(refusal()) from error
        yield descriptor
    finally:
        os.close(descriptor)


def _already_runs(var_dir: Path) -> str:
    running = load(var_dir)
    where = f", {running.url}" if running else ""
    advice = "stop it with 'manage.py down', or start another with --var and --port"
    return f"an instance runs in {var_dir} already (pid {holder(var_dir)}{where}); {advice}"


def holder(var_dir: Path) -> int | None:
    """The pid of the supervisor that runs in `var_dir`; None when nothing runs there."""
    try:
        with (var_dir / _LOCK_FILE).open("rb") as file:
            # Asks without taking: a start at this moment is not refused.
            answer = fcntl.fcntl(file, fcntl.F_OFD_GETLK, _lock_request())
            kind: int = _FLOCK.unpack(answer)[0]
            return None if kind == fcntl.F_UNLCK else int(file.read() or b"0") or None
    except FileNotFoundError:
        return None


def _lock_request() -> bytes:
    return _FLOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)


def clear_stale(var_dir: Path) -> str:
    """Remove what a supervisor that was killed left behind; the result says what that was, empty for nothing."""
    stale = load(var_dir)
    (var_dir / INSTANCE_FILE).unlink(missing_ok=True)
    if stale is None:
        return ""
    ended = _end(stale)
    processes = f", ended {', '.join(ended)}" if ended else ""
    return f"the instance with pid {stale.supervisor_pid} died without stopping{processes}"


def _end(stale: Instance) -> list[str]:
    """Interrupt the processes (for Postgres that is the fast shutdown), then kill their groups."""
    ended = list(stale.leftovers())
    for pid in stale.leftovers().values():
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGINT)
    deadline = time.monotonic() + _LEFTOVER_GRACE_SECONDS
    while stale.leftovers() and time.monotonic() < deadline:
        time.sleep(0.05)
    for pid in stale.leftovers().values():
        with suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGKILL)
    return ended
