"""Bulk jobs by their command, in processes of their own, as tests start and wait for them."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from embedding_project.config import PROJECT_ROOT

PATIENCE_SECONDS = 120.0
WORK = Path(os.environ["VAR_DIR"]) / "bulk"
Start = Callable[..., "subprocess.Popen[str]"]


@contextmanager
def started_commands() -> Iterator[Start]:
    """Starts commands; none outlives the block."""
    started: list[subprocess.Popen[str]] = []

    def run(*arguments: object, program: Sequence[str] = ("-m", "bulk_ingest")) -> "subprocess.Popen[str]":
        argv = [sys.executable, *program, *map(str, arguments)]
        started.append(
            subprocess.Popen(argv, cwd=PROJECT_ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        )
        return started[-1]

    try:
        yield run
    finally:
        for process in started:
            process.kill()
            process.communicate()


def spawned(process: "subprocess.Popen[str]") -> list[int]:
    """The processes that the command has spawned to work for it."""
    found = []
    for pid in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text(encoding="ascii").split():
        # One that ends just now is none of them.
        with suppress(FileNotFoundError, ProcessLookupError):
            if b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes():
                found.append(int(pid))
    return found


def ended(process: "subprocess.Popen[str]") -> tuple[int, str, str]:
    """Exit code, and what it wrote."""
    out, err = process.communicate(timeout=PATIENCE_SECONDS)
    return process.returncode, out, err


def until(condition: Callable[[], Any]) -> Any:
    """What the condition gives once that is true."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not (found := condition()):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return found
