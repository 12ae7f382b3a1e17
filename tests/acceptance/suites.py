"""Suites of other projects and of this one that need packages of their own: a run of pytest each."""

import os
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path

from tests.conftest import ROOT

CLIENT = ROOT / "clients" / "python" / "src"


def passed(python: str | Path, suite: Path, file: str, environ: Mapping[str, str]) -> int:
    """How many tests of the file passed; none may fail or be skipped."""
    run = subprocess.run(
        [python, "-m", "pytest", "-c", "pytest.ini", "--rootdir", str(suite), f"{file}.py"],
        env={**os.environ, "PYTHONPATH": str(CLIENT), **environ},
        cwd=suite,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert run.returncode == 0, run.stdout[-6000:] + run.stderr[-2000:]
    summary = run.stdout.splitlines()[-1]
    found = re.search(r"(\d+) passed", summary)
    assert found is not None, summary
    assert "skipped" not in summary
    return int(found[1])


def run_page(python: str | Path, page: Path, url: str, folder: Path) -> None:
    """The Python blocks of a page, in an interpreter that has the packages they need."""
    run = subprocess.run(
        [python, Path(__file__).with_name("python_blocks.py"), page, url],
        env={**os.environ, "PYTHONPATH": str(CLIENT), "EMBSEARCH_URL": url},
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert run.returncode == 0, run.stdout[-3000:] + run.stderr[-6000:]
