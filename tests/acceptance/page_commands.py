"""The commands on a page of the documentation, run as they are written.

They run in a folder that looks like a checkout in whose terminal somebody works beside a running instance. Of what is
written only this is replaced: the address of the instance, folders that a test may not touch, and what a reader takes
from the answer before (a token, the number of a key).
"""

import os
import re
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from supervisor.java import SPARK_VENV
from tests.conftest import ROOT, Service, outside_environment
from tests.loaded_commands import Run

_SHELL = re.compile(r"^(?:<!-- not run: (?P<reason>.+?) -->\n)?```(?:sh|bash)\n(?P<code>.*?)^```$", re.M | re.S)
_TOKEN = re.compile(r'"token":"([^"]+)"')
_KEY = re.compile(r"emb_([0-9a-f]{10})_")
_STATUS = re.compile(r"^HTTP/\S+ (\d+)", re.MULTILINE)
_SECONDS = 600
_PYTHON = """#!/bin/sh
exec {python} "$@"
"""
_CURL = """#!/bin/sh
exec {curl} --dump-header "{answers}/$$" --header "Authorization: Bearer {key}" "$@"
"""
_CLIENT = """#!/bin/sh
export PYTHONPATH={source} EMBSEARCH_URL={url} EMBSEARCH_API_KEY={key}
exec {python} -m embsearch "$@"
"""


@dataclass(frozen=True, slots=True)
class Block:
    """What stands in one block of shell commands."""

    page: str
    line: int
    code: str
    reason: str
    """Why no test runs it; empty for all others."""

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def blocks_of(page: Path) -> list[Block]:
    text = page.read_text(encoding="utf-8")
    return [
        Block(
            page=page.relative_to(ROOT).as_posix(),
            line=text.count("\n", 0, found.start("code")),
            code=found["code"],
            reason=found["reason"] or "",
        )
        for found in _SHELL.finditer(text)
    ]


@dataclass
class Terminal:
    """Where the commands of one page run."""

    service: Service
    manage: Run
    """Runs commands that a page does not show."""
    folder: Path
    key: str
    before: Mapping[str, Callable[["Terminal"], None]]
    """Part of a command -> what must have happened before it, which the page leaves to the reader or to time."""
    read: dict[str, str] = field(default_factory=dict)
    """What a reader takes from an answer, by what the page has in its place."""

    def __post_init__(self) -> None:
        for path in ROOT.iterdir():
            if path.name not in (".venv", "models", "var") and not path.name.startswith("."):
                (self.folder / path.name).symlink_to(path)
        (self.folder / "var").symlink_to(self.service.var)
        (self.folder / ".venv-spark").symlink_to(SPARK_VENV)
        (self.folder / "models").symlink_to(self.service.var / "models")
        (self.folder / "backups").mkdir()
        self._answers.mkdir()
        self._program(self.folder / ".venv" / "bin" / "python", _PYTHON.format(python=sys.executable))
        curl = _CURL.format(curl=shutil.which("curl"), answers=self._answers, key=self.key)
        self._program(self.folder / "programs" / "curl", curl)
        source = ROOT / "clients" / "python" / "src"
        client = _CLIENT.format(source=source, url=self.service.url, key=self.key, python=sys.executable)
        self._program(self.folder / "programs" / "embsearch", client)

    @property
    def _answers(self) -> Path:
        return self.folder / "answers"

    def prepare(self, *command: str) -> None:
        """Run a management command that the page leaves to the reader."""
        done = self.manage(*command)
        assert done.returncode == 0, done.stderr

    def run(self, block: Block) -> None:
        """Run the block; every command must succeed, and every answer be a good one."""
        for part, prepare in self.before.items():
            if part in block.code:
                prepare(self)
        code = self._replaced(block.code)
        done = subprocess.run(
            ["bash", "-e", "-o", "pipefail", "-c", code],
            cwd=self.folder,
            env={**os.environ, **outside_environment(self.service.var), "PATH": self._path()},
            capture_output=True,
            text=True,
            timeout=_SECONDS,
        )
        said = f"{block}\n{code}{done.stdout}{done.stderr}"
        assert done.returncode == 0, said
        assert all(status < 400 for status in self._statuses()), said
        self._remember(done.stdout)

    def _path(self) -> str:
        return f"{self.folder / 'programs'}:{os.environ['PATH']}"

    def _program(self, path: Path, content: str) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
        path.chmod(path.stat().st_mode | stat.S_IXUSR)

    def _replaced(self, code: str) -> str:
        address = self.service.url.removeprefix("http://")
        fixed = {"localhost:8000": address, " /backups/": f" {self.folder}/backups/"}
        for written, meant in {**fixed, **self.read}.items():
            code = code.replace(written, meant)
        return code

    def _statuses(self) -> list[int]:
        """Of the answers since the last call."""
        found = []
        for path in self._answers.iterdir():
            found += [int(status) for status in _STATUS.findall(path.read_text())]
            path.unlink()
        return found

    def _remember(self, said: str) -> None:
        for written, pattern in (("WyJiYzQw...", _TOKEN), ("5f0a9c31d2", _KEY)):
            if found := pattern.findall(said):
                self.read[written] = found[-1]
