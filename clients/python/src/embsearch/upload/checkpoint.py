"""Which rows of a load are done, in a file that a load which is killed leaves behind.

The first line says what is loaded; each further line names the rows of a request that was answered. A line that was cut
off counts for nothing: its rows are sent again, which changes nothing in the service.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any

from embsearch.upload.report import FailedDocument


class Checkpoint:
    """Without a path it remembers nothing."""

    def __init__(self, path: str | Path | None, load: Mapping[str, Any]) -> None:
        """Raises ValueError when the file is that of another load."""
        self.failed: list[FailedDocument] = []
        self._below = 0
        self._ahead: dict[int, int] = {}
        self._file: IO[str] | None = None
        self._path = None if path is None else Path(path)
        if self._path is not None:
            whole_bytes = self._read(self._path, dict(load)) if self._path.exists() else 0
            self._file = self._path.open("a", encoding="utf-8")
            self._file.truncate(whole_bytes)
            if whole_bytes == 0:
                self._write({"load": dict(load)})

    def is_done(self, row: int) -> bool:
        return row < self._below or any(first <= row < end for first, end in self._ahead.items())

    def done(self, rows: Iterable[int], failed: Iterable[FailedDocument]) -> None:
        ranges = _ranges(rows)
        for first, end in ranges:
            self._add(first, end)
        if self._file is not None:
            self._write({"rows": ranges, "failed": [asdict(one) for one in failed]})

    def finish(self) -> None:
        """The load is complete, so nothing is left to go on with."""
        self.close()
        if self._path is not None:
            self._path.unlink(missing_ok=True)

    def close(self) -> None:
        if self._file is not None:
            self._file.close()

    def _add(self, first: int, end: int) -> None:
        self._ahead[first] = max(end, self._ahead.get(first, 0))
        while self._below in self._ahead:
            self._below = self._ahead.pop(self._below)

    def _write(self, line: Mapping[str, Any]) -> None:
        assert self._file is not None
        self._file.write(json.dumps(line) + "\n")
        self._file.flush()

    def _read(self, path: Path, load: dict[str, Any]) -> int:
        """The bytes that are whole lines."""
        whole = 0
        for number, line in enumerate(path.read_bytes().splitlines(keepends=True)):
            if not line.endswith(b"\n"):
                break
            entry = _entry(line, path)
            if number == 0 and entry.get("load") != load:
                raise ValueError(
                    f"{path} belongs to another load: {entry.get('load')}, not {load}; remove it, or name another"
                )
            for first, end in entry.get("rows", ()):
                self._add(first, end)
            self.failed += [FailedDocument(**one) for one in entry.get("failed", ())]
            whole += len(line)
        return whole


def _entry(line: bytes, path: Path) -> dict[str, Any]:
    try:
        entry = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path} is no checkpoint of a load") from error
    if not isinstance(entry, dict):
        raise ValueError(f"{path} is no checkpoint of a load")
    return entry


def _ranges(rows: Iterable[int]) -> list[tuple[int, int]]:
    """Neighbours together, each as its first row and the one after its last."""
    found: list[tuple[int, int]] = []
    for row in sorted(rows):
        if found and found[-1][1] == row:
            found[-1] = (found[-1][0], row + 1)
        else:
            found.append((row, row + 1))
    return found
