"""Ctrl-C at any moment of an instance's life ends it cleanly, and the next start works."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from embedding_project.config import PROJECT_ROOT
from supervisor import instance
from supervisor.launch import Options
from tests.conftest import free_port, outside_environment, scratch_directory

INTERRUPTED = 130
READY = "ready:"
PATIENCE_SECONDS = 180.0
"""Longer than a start may take on a busy machine."""


def begin(command: str, var: Path, *options: str) -> subprocess.Popen[str]:
    """The command in a process group of its own, as a shell starts it at a terminal."""
    return subprocess.Popen(
        (sys.executable, "manage.py", command, "--var", str(var), "--port", str(free_port()), *options),
        cwd=PROJECT_ROOT,
        env=Options(environ=outside_environment(var) | {"SHARDS": "1", "REPLICAS": "1"}).environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        process_group=0,
        # A shell switches Ctrl-C off for jobs in the background, and the tests may be one.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509
    )


def interrupt_at(process: subprocess.Popen[str], word: str, presses: int = 1) -> tuple[int, str]:
    """Press Ctrl-C when a line with `word` appears, or at `ready:` where a quick start leaves the line out.

    Gives the exit code and all that was printed. A process that says neither is killed, and its exit code is 137.
    """
    assert process.stdout
    said = ""
    watchdog = threading.Timer(PATIENCE_SECONDS, process.kill)
    watchdog.start()
    with process:
        for line in process.stdout:
            said += line
            if word in line or line.startswith(READY):
                break
        for _ in range(presses):
            process.send_signal(0)  # reaps it where it has ended by itself
            if process.returncode is None:
                os.killpg(process.pid, signal.SIGINT)
            time.sleep(0.02)
        said += process.stdout.read()
        code = process.wait()
    watchdog.cancel()
    # As a shell shows the code of a process that a second Ctrl-C met on its way out.
    return code if code >= 0 else 128 - code, said


def processes_of(var: Path) -> list[str]:
    """Command lines of live processes that got this directory."""
    marks = (f"VAR_DIR={var}".encode(), str(var).encode())
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            command, environ = (folder / "cmdline").read_bytes(), (folder / "environ").read_bytes().split(b"\0")
        except OSError:
            continue
        if marks[1] in command or marks[0] in environ:
            found.append(command.replace(b"\0", b" ").decode())
    return found


def expect_clean_end(var: Path, said: str) -> None:
    assert "Traceback" not in said
    assert "stopping\n" in said
    assert "stopped in " in said
    assert processes_of(var) == []
    assert instance.holder(var) is None


@pytest.fixture(scope="module")
def var() -> Path:
    """One for all: after the first start that was not interrupted, the others find a database."""
    return scratch_directory()


def test_up_ends_cleanly_at_every_stage_and_starts_again(var: Path) -> None:
    was_ready = False
    for word in ("postgres:", "broker:", "running bootstrap", "waiting for", READY):
        ended, said = interrupt_at(begin("up", var), word, presses=2)
        was_ready = f"\n{READY}" in said
        assert ended == (0 if was_ready else INTERRUPTED), said
        expect_clean_end(var, said)
        assert " | " not in said, "what roles write belongs into their logs"
        if was_ready:
            # One more every few seconds, where it takes long.
            lines = [line for line in said.splitlines() if "waiting for" not in line]
            assert len(lines) <= 13, said
            assert all(f"/{page}/\n" in said or f"/{page}/ " in said for page in ("console", "admin"))
            assert "\n  curl -s http://127.0.0.1:" in said
    assert was_ready


def test_a_detached_start_that_is_interrupted_leaves_nothing_running(var: Path) -> None:
    ended, said = interrupt_at(begin("up", var, "--detach"), "postgres:")
    assert ended == INTERRUPTED
    expect_clean_end(var, said)


@pytest.mark.parametrize("word", ["broker:", "ready:"])
def test_the_demo_ends_cleanly_while_it_starts_and_while_it_loads(var: Path, word: str) -> None:
    ended, said = interrupt_at(begin("demo", var), word)
    assert ended == INTERRUPTED
    expect_clean_end(var, said)


def test_a_command_that_is_interrupted_before_it_has_loaded_shows_no_traceback(var: Path) -> None:
    for seconds in (0.3, 0.6, 1.0):
        process = begin("up", var)
        time.sleep(seconds)
        process.send_signal(signal.SIGINT)
        said, _ = process.communicate(timeout=PATIENCE_SECONDS)
        assert "Traceback" not in said
        assert processes_of(var) == []
