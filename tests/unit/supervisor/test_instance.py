"""What lies in an instance's directory: its description, its lock, its secrets, and what a crash leaves."""

import os
import signal
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from supervisor import instance, secrets
from supervisor.errors import StartError
from supervisor.instance import Instance


def describe(**processes: int) -> Instance:
    return Instance(supervisor_pid=1, url="http://127.0.0.1:1", processes=processes, environment={"PORT": "1"})


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_the_description_is_read_back_and_private(tmp_path: Path) -> None:
    describe(api=os.getpid()).save(tmp_path)
    loaded = instance.load(tmp_path)
    assert loaded is not None
    assert loaded.processes == {"api": os.getpid()}
    assert mode(tmp_path / "instance.json") == 0o600


def test_a_second_supervisor_is_refused_and_told_about_the_first(tmp_path: Path) -> None:
    with instance.lock(tmp_path):
        describe().save(tmp_path)
        with (
            pytest.raises(StartError, match=rf"already \(pid {os.getpid()}, http://127.0.0.1:1\)"),
            instance.lock(tmp_path),
        ):
            pytest.fail("two supervisors held the lock")
        assert instance.holder(tmp_path) == os.getpid()
    assert instance.holder(tmp_path) is None


def test_a_look_at_the_holder_refuses_no_start(tmp_path: Path) -> None:
    with instance.lock(tmp_path):
        pass
    stop = threading.Event()

    def look() -> None:
        while not stop.is_set():
            instance.holder(tmp_path)

    lookers = [threading.Thread(target=look) for _ in range(4)]
    for looker in lookers:
        looker.start()
    try:
        for _ in range(500):
            with instance.lock(tmp_path):
                pass
    finally:
        stop.set()
        for looker in lookers:
            looker.join()


def test_nothing_runs_in_a_directory_without_a_lock(tmp_path: Path) -> None:
    assert instance.holder(tmp_path) is None
    assert instance.clear_stale(tmp_path) == ""


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="start times are read from /proc")
def test_processes_a_dead_supervisor_left_are_ended(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], start_new_session=True) as left:
        describe(api=left.pid).save(tmp_path)
        assert "ended api" in instance.clear_stale(tmp_path)
        assert left.wait(60) != 0
    assert instance.load(tmp_path) is None


def test_a_pid_that_belongs_to_somebody_else_by_now_is_left_alone(tmp_path: Path) -> None:
    reused = Instance(supervisor_pid=1, url="", processes={"api": os.getpid()}, environment={}, started={"api": 1})
    assert reused.leftovers() == {}


def test_the_time_a_process_started_ends_with_it() -> None:
    assert instance.start_ticks(os.getpid()) is not None
    with subprocess.Popen(["sleep", "60"]) as process:
        process.send_signal(signal.SIGKILL)
    assert instance.start_ticks(process.pid) is None


def test_secrets_are_made_once_and_kept_private(tmp_path: Path) -> None:
    first = secrets.load_or_create(tmp_path)
    assert secrets.load_or_create(tmp_path) == first
    assert mode(tmp_path / "secrets.json") == 0o600
    assert len(first.secret_key) >= 32


def test_secrets_do_not_show_when_printed() -> None:
    made = secrets.Secrets()
    assert made.admin_password not in repr(made)


def test_damaged_secrets_stop_the_start(tmp_path: Path) -> None:
    (tmp_path / "secrets.json").write_text("{", encoding="utf-8")
    with pytest.raises(StartError, match="cannot read"):
        secrets.load_or_create(tmp_path)
