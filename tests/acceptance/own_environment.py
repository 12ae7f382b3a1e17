"""A virtual environment for packages that only one suite needs, made by the first test that asks for it.

It also sees what the project's own environment has, so that only what is missing there is installed. It is kept in
`build/` for the next run, under a name that says what is in it.
"""

import fcntl
import hashlib
import shutil
import subprocess
import sys
import sysconfig
import venv
from collections.abc import Sequence
from pathlib import Path

from tests.conftest import ROOT

ENVIRONMENTS = ROOT / "build" / "environments"
_PATIENCE_SECONDS = 420


def python_with(*requirements: str) -> Path:
    """The interpreter of an environment that has these packages, pip's words for them."""
    said = "\n".join((sys.version, sys.prefix, *sorted(requirements)))
    folder = ENVIRONMENTS / hashlib.blake2b(said.encode(), digest_size=8).hexdigest()
    ENVIRONMENTS.mkdir(parents=True, exist_ok=True)
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "whole").exists():
            _make(folder, requirements)
            (folder / "whole").touch()
    return folder / "bin" / "python"


def _make(folder: Path, requirements: Sequence[str]) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    venv.create(folder, with_pip=False)
    python = folder / "bin" / "python"
    (_packages(python) / "project.pth").write_text(sysconfig.get_path("purelib") + "\n")
    install = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *requirements]
    done = subprocess.run(install, capture_output=True, text=True, timeout=_PATIENCE_SECONDS)
    assert done.returncode == 0, done.stderr


def _packages(python: Path) -> Path:
    ask = "import sysconfig; print(sysconfig.get_path('purelib'))"
    return Path(subprocess.run([python, "-c", ask], capture_output=True, text=True, check=True).stdout.strip())
