"""`make setup` shows how far it is, says why it failed, and goes on after Ctrl-C at any moment."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from zipfile import ZipFile

import pytest

from embedding_project.config import PROJECT_ROOT
from supervisor.packages import Progress

PATIENCE_SECONDS = 120.0


def write_wheel(folder: Path, name: str) -> None:
    info = f"{name}-1.0.dist-info"
    with ZipFile(folder / f"{name}-1.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr(f"{name}.py", "")
        wheel.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{info}/RECORD", f"{name}.py,,\n{info}/METADATA,,\n{info}/WHEEL,,\n{info}/RECORD,,\n")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project that needs four packages, beside a folder that has them."""
    folder, wheels = tmp_path / "project", tmp_path / "wheels"
    (folder / "requirements").mkdir(parents=True)
    wheels.mkdir()
    for name in ("torch", "one", "two", "three"):
        write_wheel(wheels, name)
    (folder / "requirements" / "embedder.txt").write_text("torch==1.0\n")
    (folder / "requirements.txt").write_text("-r requirements/embedder.txt\none==1.0\ntwo==1.0\n")
    (folder / "requirements-dev.txt").write_text("three==1.0\n")
    return folder


def setup(project: Path, **pip: str) -> subprocess.Popen[str]:
    """In a process group of its own, as a shell starts it at a terminal."""
    environ = {"PATH": os.environ["PATH"], "HOME": str(project), "PYTHONPATH": str(PROJECT_ROOT)}
    return subprocess.Popen(
        (sys.executable, "-m", "supervisor.packages"),
        cwd=project,
        env={**environ, "PIP_CONFIG_FILE": os.devnull, **pip},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        process_group=0,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509
    )


def from_folder(project: Path) -> dict[str, str]:
    return {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(project.parent / "wheels")}


def installed(project: Path) -> set[str]:
    return {path.stem for path in project.glob(".venv/lib/python3*/site-packages/*.py")}


def wait_for(happened: Callable[[], bool]) -> None:
    until = time.monotonic() + PATIENCE_SECONDS
    while not happened():
        assert time.monotonic() < until
        time.sleep(0.01)


def processes_of(project: Path) -> list[str]:
    """Live processes that got this home."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if f"HOME={project}".encode() in (folder / "environ").read_bytes().split(b"\0"):
                found.append((folder / "cmdline").read_text())
    return found


def expect_interrupted(process: subprocess.Popen[str], project: Path) -> None:
    os.killpg(process.pid, signal.SIGINT)
    said, _ = process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == 130, said
    assert "interrupted" in said
    assert "Traceback" not in said
    assert processes_of(project) == []


def test_ctrl_c_ends_it_at_every_step_and_the_next_run_goes_on(project: Path) -> None:
    process = setup(project)
    assert process.stdout
    process.stdout.readline()
    expect_interrupted(process, project)

    process = setup(project)
    wait_for((project / ".venv" / "bin" / "python").exists)  # which has no pip yet
    expect_interrupted(process, project)

    with socket.create_server(("127.0.0.1", 0)) as silent_index:
        process = setup(project, PIP_INDEX_URL=f"http://127.0.0.1:{silent_index.getsockname()[1]}/simple")
        silent_index.settimeout(PATIENCE_SECONDS)
        with silent_index.accept()[0]:
            expect_interrupted(process, project)

    process = setup(project, **from_folder(project))
    said, _ = process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == 0, said
    assert {"torch", "one", "two", "three"} <= installed(project)
    assert len(said.splitlines()) <= 6
    assert "all packages are installed" in said


def test_a_package_that_is_not_there_is_named(project: Path) -> None:
    (project / "requirements-dev.txt").write_text("missing==1.0\n")
    process = setup(project, **from_folder(project))
    said, _ = process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == 1
    assert "missing==1.0" in said


def test_the_words_of_pip_become_a_line(tmp_path: Path) -> None:
    progress = Progress(tmp_path)
    assert str(progress) == "looking for packages"
    progress.read(["Collecting torch==2.13.0", "  Downloading torch-2.13.0+cpu-cp311-linux.whl (184.2 MB)"])
    assert str(progress) == "downloading torch (184.2 MB), one of 1 packages"
    progress.read(["Collecting typing-extensions>=4 (from torch)"])
    assert str(progress) == "found 2 packages, now typing-extensions"
    progress.read(["Installing collected packages: typing-extensions, torch"])
    (tmp_path / "torch-2.13.0.dist-info").mkdir()
    assert str(progress) == "unpacking packages, 1 of 2"
