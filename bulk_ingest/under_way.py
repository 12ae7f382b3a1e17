"""Rows of tasks that are under way: each task says in a small file how far it is, and the leader adds them up.

A bucket is one transaction, so for as long as it lasts no table shows anything of it. Where tasks run on other machines
nobody sees their files, and a job moves by whole buckets.
"""

import math
import shutil
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

_SAID_SECONDS = 0.5


class UnderWay:
    """What one task has done, while the block runs."""

    def __init__(self, folder: Path, name: str, most: float = math.inf) -> None:
        """`most`: rows of the task, where they are known; a task that begins anew counts no more than these."""
        self._path = _folder(folder) / f"{name}.task"
        self._most = most
        self._rows = 0.0
        self._began, self._said = time.time(), float("-inf")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with suppress(OSError):
            self._path.unlink()

    def add(self, rows: float) -> None:
        """Count rows, or a part of the work on them."""
        self._rows = min(self._rows + rows, self._most)
        if time.monotonic() - self._said < _SAID_SECONDS:
            return
        self._said = time.monotonic()
        # What it says is for people, so that no disk and no death of the job may make it fail.
        with suppress(OSError):
            self._path.parent.mkdir(exist_ok=True)
            written = self._path.with_suffix(".new")
            written.write_text(f"{self._rows:.0f} {self._began}", encoding="ascii")
            written.replace(self._path)


@dataclass(frozen=True, slots=True)
class Moved:
    rows: int
    """Of all tasks that are under way."""
    per_second: float


def moved(folder: Path) -> Moved:
    """What the tasks of a job say."""
    rows, per_second = 0, 0.0
    # The lease of the job is renewed by the same thread, and the folder may go while it is read.
    with suppress(OSError):
        for path in _folder(folder).glob("*.task"):
            with suppress(OSError, ValueError):
                done, began = path.read_text(encoding="ascii").split()
                rows += int(done)
                per_second += int(done) / max(time.time() - float(began), 0.1)
    return Moved(rows, per_second)


def begin(folder: Path) -> None:
    """Forget what tasks have left that died; the folder of the job is there from now on."""
    end(folder)
    folder.mkdir(parents=True, exist_ok=True)


def end(folder: Path) -> None:
    shutil.rmtree(_folder(folder), ignore_errors=True)


def _folder(folder: Path) -> Path:
    return folder / "under-way"
