"""Supervised processes: back-off, restart, stop, and no stray left behind."""

import io
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from supervisor import backoff
from supervisor.fleet import Fleet
from supervisor.instance import start_ticks
from supervisor.logs import Console, pump, tail
from supervisor.process import ProcessSpec, run_once

SLEEP = "import time; print('up', flush=True); time.sleep(60)"
STUBBORN = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); " + SLEEP
PARENT = "import subprocess, sys; print(subprocess.Popen(['sleep', '60']).pid, flush=True); " + SLEEP


def role(name: str, code: str, grace_seconds: float = 2.0) -> ProcessSpec:
    return ProcessSpec(
        name=name,
        argv=(sys.executable, "-c", code),
        env={"PATH": os.defpath},
        cwd=Path("/"),
        stop_ladder=((signal.SIGTERM, grace_seconds),),
    )


def until(condition: Callable[[], object], fleet: Fleet | None = None) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, "did not happen within a minute"
        if fleet:
            fleet.tick()
        time.sleep(0.02)


@pytest.fixture
def output() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def fleet(tmp_path: Path, output: io.StringIO) -> Fleet:
    return Fleet(tmp_path, Console(output))


def test_back_off_doubles_up_to_a_limit() -> None:
    assert [backoff.delay(deaths) for deaths in range(1, 9)] == [0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 10.0, 10.0]


def test_after_a_long_life_the_count_of_deaths_begins_again() -> None:
    assert backoff.deaths_in_a_row(5, lived_seconds=29.0) == 6
    assert backoff.deaths_in_a_row(5, lived_seconds=30.0) == 1


def test_a_killed_process_comes_back_and_says_so(fleet: Fleet, output: io.StringIO) -> None:
    child = fleet.add(role("worker", SLEEP))
    first = fleet.pids()["worker"]
    os.kill(first, signal.SIGKILL)
    until(lambda: fleet.pids().get("worker", first) != first, fleet)
    assert "worker: was killed by SIGKILL; starting it again in 0.2 s" in output.getvalue()
    assert child.deaths == 1
    fleet.stop()


def test_output_goes_to_the_log_and_prefixed_to_the_console(fleet: Fleet, output: io.StringIO, tmp_path: Path) -> None:
    fleet.add(role("worker", SLEEP))
    until(lambda: "worker | up" in output.getvalue())
    assert tail(tmp_path / "worker.log") == "up"
    fleet.stop()


def test_the_log_of_the_start_before_is_kept(fleet: Fleet, tmp_path: Path) -> None:
    (tmp_path / "worker.log").write_text("earlier", encoding="utf-8")
    fleet.add(role("worker", "print('now')"))
    fleet.stop()
    assert (tmp_path / "worker.log.1").read_text(encoding="utf-8") == "earlier"


def test_a_log_is_bounded_within_one_run(tmp_path: Path) -> None:
    log = tmp_path / "talker.log"
    lines = io.BytesIO(b"".join(b"line %06d\n" % number for number in range(1_000)))
    pump(lines, log, Console(None), "talker", longest_bytes=2_000)
    assert max(file.stat().st_size for file in tmp_path.iterdir()) <= 2_000
    assert {file.name for file in tmp_path.iterdir()} == {"talker.log", "talker.log.1"}
    assert tail(log, lines=1) == "line 000999"


def test_a_process_that_ignores_the_signal_is_killed_after_its_grace(fleet: Fleet, output: io.StringIO) -> None:
    fleet.add(role("stubborn", STUBBORN, grace_seconds=0.3))
    until(lambda: "stubborn | up" in output.getvalue())
    began = time.monotonic()
    fleet.stop()
    assert time.monotonic() - began >= 0.3
    assert fleet.pids() == {}


@pytest.mark.parametrize("death", ["stop", "crash"])
def test_children_of_a_process_go_with_it(fleet: Fleet, tmp_path: Path, death: str) -> None:
    fleet.add(role("parent", PARENT))
    until(lambda: "up" in tail(tmp_path / "parent.log"))
    grandchild = int(tail(tmp_path / "parent.log").split()[0])
    if death == "crash":
        os.kill(fleet.pids()["parent"], signal.SIGKILL)
        until(lambda: start_ticks(grandchild) is None, fleet)
    fleet.stop()
    until(lambda: start_ticks(grandchild) is None)


def test_a_program_that_does_not_exist_is_a_death_and_no_crash(fleet: Fleet, output: io.StringIO) -> None:
    child = fleet.add(ProcessSpec(name="ghost", argv=("/does/not/exist",), env={}, cwd=Path("/")))
    fleet.tick()
    assert child.deaths == 1
    assert "ghost: cannot start /does/not/exist" in output.getvalue()
    fleet.stop()


def test_a_console_that_went_away_hurts_nobody(tmp_path: Path) -> None:
    closed = io.StringIO()
    closed.close()
    fleet = Fleet(tmp_path, Console(closed))
    fleet.add(role("worker", SLEEP))
    until(lambda: tail(tmp_path / "worker.log") == "up")
    fleet.stop()


def test_a_command_runs_to_its_end_and_gives_its_exit_code(tmp_path: Path, output: io.StringIO) -> None:
    child = run_once(role("migrate", "print('no'); raise SystemExit(3)"), tmp_path, Console(output), time.sleep)
    assert child.exit_code() == 3
    assert tail(child.log_path) == "no"


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells children about the death of their parent")
def test_processes_do_not_outlive_a_supervisor_that_is_killed(tmp_path: Path) -> None:
    script = (
        "import sys, time; from pathlib import Path; from tests.unit.supervisor.test_process import *; "
        f"fleet = Fleet(Path({str(tmp_path)!r}), Console(None)); fleet.add(role('worker', SLEEP)); "
        "print(fleet.pids()['worker'], flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as supervisor:
        assert supervisor.stdout
        worker = int(supervisor.stdout.readline())
        assert start_ticks(worker) is not None
        supervisor.kill()
    until(lambda: start_ticks(worker) is None)
