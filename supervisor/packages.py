"""What `make setup` runs: the packages of every role into `.venv`, and a line that shows how far that is.

It needs Python alone, so it may import nothing that is installed by it.
"""

import re
import shutil
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Iterable, Sequence
from pathlib import Path

from supervisor.interrupts import one_interrupt

_ENVIRONMENT = Path(".venv")
_INTERRUPTED = 130
_TICK_SECONDS = 0.5
_REPORT_SECONDS = 10.0
"""Between two lines where the output is no terminal, whose line renews itself."""
_END_SECONDS = 5.0
_LAST_LINES = 15
_FILES = ("requirements.txt", "requirements-dev.txt")
_FOUND = re.compile(r"\s*Collecting ([\w.-]+)")
_LOADING = re.compile(r"\s*(?:Downloading|Using cached) (?:\S*/)?([\w.]+)-\S+\.(?:whl|tar\.gz) \((.+)\)")
_INSTALLING = re.compile(r"\s*Installing collected packages: (.+)")


class SetupFailed(Exception):
    """A step failed; the message is what it said last."""


class Progress:
    """What pip said, in a line. A thread reads, and another one shows."""

    def __init__(self, site_packages: Path) -> None:
        self._site_packages = site_packages
        self._found = 0
        self._doing = "looking for packages"
        self._installing = 0
        self._before = self._installed()
        self.last_lines: deque[str] = deque(maxlen=_LAST_LINES)

    def read(self, lines: Iterable[str]) -> None:
        """Take in what pip prints, until it ends."""
        for line in lines:
            self.last_lines.append(line.rstrip())
            if found := _FOUND.match(line):
                self._found += 1
                self._doing = f"found {self._found} packages, now {found[1]}"
            elif loading := _LOADING.match(line):
                self._doing = f"downloading {loading[1]} ({loading[2]}), one of {self._found} packages"
            elif installing := _INSTALLING.match(line):
                self._installing = len(installing[1].split(","))

    def __str__(self) -> str:
        if not self._installing:
            return self._doing
        done = min(max(self._installed() - self._before, 0), self._installing)
        return f"unpacking packages, {done} of {self._installing}"

    def _installed(self) -> int:
        return sum(1 for _ in self._site_packages.glob("*.dist-info"))


def main() -> int:
    """Install into the folder this runs in. The exit code is 0, 1 for a failure, 130 for Ctrl-C."""
    with one_interrupt():
        try:
            _install(time.monotonic())
        except KeyboardInterrupt:
            print("\ninterrupted; the same command goes on later", flush=True)
            return _INTERRUPTED
        except SetupFailed as error:
            print(f"\n{error}", file=sys.stderr)
            return 1
    return 0


def _install(began: float) -> None:
    print(f"installing packages into {_ENVIRONMENT}, once: some minutes, and some gigabytes of disk", flush=True)
    _make_environment(began)
    torch = next(line for line in _lines(Path("requirements/embedder.txt")) if line.startswith("torch=="))
    # First and alone: pip then takes the CPU build where one is offered, and keeps it for the rest.
    _pip(began, torch)
    _pip(began, *(part for file in _FILES for part in ("-r", file)))
    _show(began, "all packages are installed\n")


def _lines(file: Path) -> list[str]:
    return file.read_text(encoding="utf-8").splitlines()


def _make_environment(began: float) -> None:
    python = str(_ENVIRONMENT / "bin" / "python")
    # One that was interrupted has a Python, and no pip yet.
    whole = Path(python).exists() and not subprocess.call([python, "-c", "import pip"], stderr=subprocess.DEVNULL)
    if not whole:
        _show(began, f"making {_ENVIRONMENT}")
        _run(began, [sys.executable, "-m", "venv", str(_ENVIRONMENT)])


def _pip(began: float, *what: str) -> None:
    options = ("--disable-pip-version-check", "--no-input", "--progress-bar", "off")
    _run(began, [str(_ENVIRONMENT / "bin" / "python"), "-m", "pip", "install", *options, *what])


def _run(began: float, command: Sequence[str]) -> None:
    """Run a step to its end, and show how far it is meanwhile. Raises SetupFailed."""
    site_packages = next(iter((_ENVIRONMENT / "lib").glob("python3*/site-packages")), _ENVIRONMENT)
    progress = Progress(site_packages)
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
    ) as process:
        reader = threading.Thread(target=progress.read, args=(process.stdout,), daemon=True)
        reader.start()
        try:
            _wait(process, progress, began)
        except BaseException:
            _end(process)
            raise
        reader.join()
    if process.returncode:
        raise SetupFailed("\n".join([*progress.last_lines, f"error: exit code {process.returncode}"]))


def _wait(process: subprocess.Popen[str], progress: Progress, began: float) -> None:
    terminal = sys.stdout.isatty()
    show_at = time.monotonic() + (0 if terminal else _REPORT_SECONDS)
    while True:
        try:
            process.wait(_TICK_SECONDS)
        except subprocess.TimeoutExpired:
            if time.monotonic() >= show_at:
                _show(began, str(progress))
                show_at = time.monotonic() + (0 if terminal else _REPORT_SECONDS)
        else:
            return


def _end(process: subprocess.Popen[str]) -> None:
    process.terminate()
    try:
        process.wait(_END_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()


def _show(began: float, what: str) -> None:
    line = f"{time.monotonic() - began:4.0f} s  {what}"
    if sys.stdout.isatty():
        print(f"\r{line[: shutil.get_terminal_size().columns - 1]}\033[K", end="", flush=True)
    else:
        print(line.rstrip(), flush=True)


if __name__ == "__main__":
    sys.exit(main())
