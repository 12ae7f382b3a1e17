"""Starts an instance in a process of its own: for `up --detach`, the demo, and the tests.

The new supervisor sends its messages through a pipe until the instance is ready; later ones go to its log only.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from embedding_project.config import PROJECT_ROOT, inherited_environment
from supervisor.errors import StartError
from supervisor.interrupts import interrupts_wait
from supervisor.logs import LOG_BYTES, rotate
from supervisor.process import last_steps
from supervisor.supervisor import read_settings

_READY = "ready: "
_STOP_SECONDS = 20.0
_LOG_FILE = "supervisor.log"

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """Which instance to start."""

    var: Path | None = None
    """Its directory; None leaves it to VAR_DIR."""
    port: int | None = None
    """Its HTTP port; None leaves it to PORT."""
    environ: Mapping[str, str] = field(default_factory=dict)
    """Variables beside, or instead of, the ones of this process."""

    def environment(self) -> dict[str, str]:
        """The environment the supervisor gets."""
        chosen = {"VAR_DIR": str(self.var.absolute()) if self.var else "", "PORT": str(self.port or "")}
        return inherited_environment() | dict(self.environ) | {name: value for name, value in chosen.items() if value}


@dataclass(frozen=True, slots=True)
class Running:
    """A ready instance."""

    url: str
    process: subprocess.Popen[bytes]
    """Its supervisor."""

    def wait(self) -> int:
        """Block until the instance ends; its exit code."""
        return self.process.wait()

    def stop(self, say: Say = lambda _: None) -> None:
        """End the instance and return when all its processes are gone."""
        say("stopping")
        began = time.monotonic()
        self.process.terminate()
        try:
            self.process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        say(f"stopped in {time.monotonic() - began:.1f} s")


def start(options: Options, *, outlives: bool = False, say: Say = print) -> Running:
    """Start an instance and return once it is ready. Raises StartError, ConfigError.

    Unless it `outlives` this process, the instance ends with it, however that happens. It must then be started from
    a thread that lives as long, the main thread for example.
    """
    environ = options.environment()
    log = read_settings(environ).var_dir / "logs" / _LOG_FILE
    process: subprocess.Popen[bytes] | None = None
    try:
        with interrupts_wait():
            process, report = _spawn(environ, log, outlives)
        if url := _follow(report, say):
            return Running(url, process)
    except BaseException:
        if process:
            Running("", process).stop(say)
        raise
    raise StartError(f"the instance did not start (exit code {process.wait()}); its log is {log}")


@contextmanager
def running_instance(
    *, var: Path, port: int | None = None, environ: Mapping[str, str] | None = None, say: Say = print
) -> Iterator[str]:
    """An instance for the length of a `with` block; the value is its URL. Raises StartError, ConfigError."""
    running = start(Options(var=var, port=port, environ=environ or {}), say=say)
    try:
        yield running.url
    finally:
        running.stop()


def _spawn(environ: Mapping[str, str], log: Path, outlives: bool) -> tuple[subprocess.Popen[bytes], int]:
    log.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if log.exists() and log.stat().st_size > LOG_BYTES:
        rotate(log)
    reader, writer = os.pipe()
    try:
        with log.open("ab") as output:
            process = subprocess.Popen(
                (sys.executable, str(PROJECT_ROOT / "manage.py"), "up", "--report-fd", str(writer)),
                env=dict(environ),
                cwd=PROJECT_ROOT,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                pass_fds=(writer,),
                start_new_session=True,
                preexec_fn=None if outlives else last_steps(os.getpid(), signal.SIGTERM, nice=0),
            )
    finally:
        os.close(writer)
    return process, reader


def _follow(report: int, say: Say) -> str:
    """Pass on the messages of a start; the URL of the ready instance, empty when it did not get ready."""
    url = ""
    with os.fdopen(report, encoding="utf-8", errors="replace") as lines:
        for line in map(str.rstrip, lines):
            say(line)
            if line.startswith(_READY):
                url = line.removeprefix(_READY)
    return url
