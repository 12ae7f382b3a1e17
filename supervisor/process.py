"""One supervised process: start it in a session of its own, pump its output, start it again when it dies, stop it.

A process must not outlive the supervisor, not even when that is killed with SIGKILL: the kernel is told to signal it
then (Linux). That promise is tied to the *thread* that starts the process, so one thread starts all of them.
"""

import ctypes
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from supervisor import backoff
from supervisor.account import Account
from supervisor.logs import Console, pump, rotate

_PR_SET_PDEATHSIG = 1
_FINISH_SECONDS = 1.0
# Looked up here because the child, between fork and exec, must not load anything.
_PRCTL = ctypes.CDLL(None).prctl if sys.platform == "linux" else None

Pause = Callable[[float], None]
"""Sleeps that many seconds; raises Stopped as soon as the instance is asked to stop."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessSpec:
    """A row of the process table."""

    name: str
    """Names the log file and prefixes the console lines."""
    argv: tuple[str, ...]
    env: Mapping[str, str]
    """The whole environment; nothing is inherited beside it."""
    cwd: Path
    nice: int = 0
    account: Account | None = None
    """The user to run as; None is the supervisor's own."""
    stop_ladder: tuple[tuple[signal.Signals, float], ...] = ((signal.SIGTERM, 4.0),)
    """Signals for a clean stop, each with the seconds it gets before the next; SIGKILL to the group ends it."""
    orphan_signal: signal.Signals = signal.SIGKILL
    """What the kernel sends when the supervisor is gone. SIGKILL, unless it has children of its own to end."""


class Child:
    """A process of the table, across all its lives."""

    def __init__(self, spec: ProcessSpec, log_dir: Path, console: Console) -> None:
        self.spec = spec
        self.log_path = log_dir / f"{spec.name}.log"
        self.deaths = 0
        """Deaths since the supervisor started; they tell which process is the trouble."""
        self._console = console
        self._process: subprocess.Popen[bytes] | None = None
        self._pump: threading.Thread | None = None
        self._failures = 0
        self._started_at = 0.0
        self._start_again_at: float | None = None

    @property
    def pid(self) -> int | None:
        """The pid of the current life; None between two."""
        return self._process.pid if self._process and self._process.poll() is None else None

    def exit_code(self) -> int | None:
        """The exit code of the current life; None while it runs."""
        return self._process.poll() if self._process else 127

    def start(self) -> None:
        """Begin a life. A program that cannot be executed counts as one that died at once."""
        self._started_at = time.monotonic()
        self._start_again_at = None
        account = self.spec.account
        try:
            self._process = subprocess.Popen(
                self.spec.argv,
                env=dict(self.spec.env),
                cwd=self.spec.cwd,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                user=account.uid if account else None,
                group=account.gid if account else None,
                extra_groups=[account.gid] if account else None,
                umask=0o077,  # logs, segments and metrics are for the instance's user alone
                preexec_fn=last_steps(os.getpid(), self.spec.orphan_signal, self.spec.nice),
            )
        except (OSError, subprocess.SubprocessError) as error:
            self._process = None
            self._console.say(f"{self.spec.name}: cannot start {self.spec.argv[0]}: {error}")
            return
        self._pump = threading.Thread(
            target=pump,
            args=(self._process.stdout, self.log_path, self._console, self.spec.name),
            name=f"log-{self.spec.name}",
            daemon=True,
        )
        self._pump.start()

    def tick(self) -> bool:
        """Notice a death and, when its back-off is over, start again. True when the pid changed."""
        code = self.exit_code()
        if code is None:
            return False
        now = time.monotonic()
        if self._start_again_at is None:
            self.sweep_group()
            self.deaths += 1
            self._failures = backoff.deaths_in_a_row(self._failures, now - self._started_at)
            delay = backoff.delay(self._failures)
            self._start_again_at = now + delay
            self._console.say(f"{self.spec.name}: {describe_exit(code)}; starting it again in {delay:g} s")
        elif now >= self._start_again_at:
            self.start()
        else:
            return False
        return True

    def send(self, number: signal.Signals) -> None:
        """Signal the process itself, not its group: a server ends its own children in the order it wants."""
        if self._process and self._process.poll() is None:
            self._process.send_signal(number)

    def sweep_group(self) -> None:
        """Kill what is left of its process group, so that neither a restart nor a stop leaves strays."""
        if self._process is None:
            return
        try:
            os.killpg(self._process.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            return  # nobody left (macOS says EPERM for a group of zombies)

    def finish(self) -> None:
        """After the stop: kill strays, reap, and let the last lines reach the log."""
        self.sweep_group()
        if self._process:
            try:
                self._process.wait(_FINISH_SECONDS)
            except subprocess.TimeoutExpired:  # it is stuck in the kernel, on a disk that does not answer for example
                self._console.say(f"{self.spec.name}: pid {self._process.pid} is still there after SIGKILL")
        if self._pump:
            self._pump.join(_FINISH_SECONDS)


def last_steps(supervisor_pid: int, orphan_signal: int, nice: int) -> Callable[[], None]:
    """What the child does between fork and exec, after it has changed its user (which would undo the tether)."""

    def run() -> None:
        if nice:
            os.nice(nice)
        if _PRCTL is not None:
            _PRCTL(_PR_SET_PDEATHSIG, int(orphan_signal), 0, 0, 0)
            if os.getppid() != supervisor_pid:
                os._exit(1)  # the supervisor died before the tether was tied

    return run


def describe_exit(code: int) -> str:
    """An exit code of subprocess in words."""
    if code >= 0:
        return f"ended with exit code {code}"
    return f"was killed by {signal.Signals(-code).name}"


def launched(spec: ProcessSpec, log_dir: Path, console: Console) -> Child:
    """Start a process with a log of its own; the log of its previous start stays as `.1`."""
    child = Child(spec, log_dir, console)
    rotate(child.log_path)
    child.start()
    return child


def run_once(spec: ProcessSpec, log_dir: Path, console: Console, pause: Pause) -> Child:
    """Run a command to its end and return it for its exit code and log. Raises Stopped when interrupted."""
    child = launched(spec, log_dir, console)
    try:
        while child.exit_code() is None:
            pause(0.05)
    finally:
        child.finish()
    return child
