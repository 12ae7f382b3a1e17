"""Virtual environments for peers, in `benchmarks/.peers`: nothing of them enters the project's requirements."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from benchmarks.errors import BenchmarkError

_FOLDER = Path(__file__).parent.parent / ".peers"


def peer_environment(requirement: str, *, first: str = "", beside: tuple[str, ...] = ()) -> Path:
    """The `bin` folder of an environment that holds `requirement`, made at first use. Raises BenchmarkError.

    `first` is installed before it and kept, `beside` together with it.
    """
    folder = _FOLDER / re.sub(r"\[.*\]|=", "-", requirement)
    complete = folder / ".complete"
    if not complete.exists():
        shutil.rmtree(folder, ignore_errors=True)
        _run(sys.executable, "-m", "venv", str(folder))
        install = (str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet")
        if first:
            _run(*install, first)
        _run(*install, requirement, *beside)
        complete.touch()
    return folder / "bin"


def _run(*command: str) -> None:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    outcome = subprocess.run(command, env=clean, capture_output=True, text=True, check=False)
    if outcome.returncode:
        raise BenchmarkError(f"{' '.join(command)} failed: {outcome.stderr.strip()[-500:]}")
