"""A second look at tests that failed: what it forgives, and what it does not."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PASSES = "def test_steady(): pass\n"
FAILS = "def test_wrong(): assert False\n"


def unsteady(been: Path) -> str:
    """A test that fails until it has been run."""
    return f"""
from pathlib import Path
def test_unsteady():
    been = Path({str(been)!r})
    fails, _ = not been.exists(), been.touch()
    assert not fails
"""


def run(folder: Path, **files: str) -> tuple[int, str]:
    tests = folder / "tests"
    tests.mkdir()
    for name, text in files.items():
        (tests / f"test_{name}.py").write_text(text)
    # Without the plugins of this project's packages, whose imports take seconds.
    environ = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    command = [
        sys.executable,
        "-m",
        "tests.again",
        "-p",
        "xdist",
        "--numprocesses=2",
        f"--rootdir={folder}",
        str(tests),
    ]
    done = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, timeout=120, check=False)
    return done.returncode, done.stdout


def test_what_passes_is_run_once(tmp_path: Path) -> None:
    status, output = run(tmp_path, one=PASSES)
    assert (status, output.count("1 passed"), "Once more" in output) == (0, 1, False)


def test_what_fails_once_is_named_and_forgiven(tmp_path: Path) -> None:
    status, output = run(tmp_path, one=unsteady(tmp_path / "been") + PASSES)
    assert status == 0
    assert "1 failed, 1 passed" in output
    assert output.endswith("passed tests/test_one.py::test_unsteady\n")


def test_what_fails_twice_is_not_forgiven(tmp_path: Path) -> None:
    status, output = run(tmp_path, one=unsteady(tmp_path / "been"), other=FAILS)
    assert status == 1
    assert output.endswith("passed tests/test_one.py::test_unsteady\n  failed tests/test_other.py::test_wrong\n")


def test_what_fails_in_many_files_is_no_chance(tmp_path: Path) -> None:
    status, output = run(tmp_path, **{name: unsteady(tmp_path / name) for name in "abcd"})
    assert (status, "4 failed" in output, "Once more" in output) == (1, True, False)


@pytest.mark.parametrize(("text", "status"), [("import nothing_of_this_name", 2), ("", 5)])
def test_what_cannot_be_run_is_an_error(tmp_path: Path, text: str, status: int) -> None:
    assert run(tmp_path, one=text)[0] == status
