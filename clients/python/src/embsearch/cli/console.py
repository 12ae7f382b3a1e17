"""What a command reads and writes: lines for people, or JSON for programs."""

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass
from typing import IO, Any

import httpx

from embsearch.errors import ApiError


@dataclass(slots=True, kw_only=True)
class Console:
    out: IO[str] = field(default_factory=lambda: sys.stdout)
    err: IO[str] = field(default_factory=lambda: sys.stderr)
    stdin: IO[str] = field(default_factory=lambda: sys.stdin)
    transport: httpx.BaseTransport | None = None
    """Of the client; a double in tests."""
    as_json: bool = False

    def show(self, value: Any, lines: Sequence[str]) -> None:
        """One answer: as one line of JSON, or as lines for people."""
        for line in [dumped(value)] if self.as_json else lines:
            self.out.write(line + "\n")
        self.out.flush()

    def say(self, line: str) -> None:
        """Beside the answer."""
        self.err.write(line + "\n")
        self.err.flush()

    def agrees(self, question: str) -> bool:
        """Whether somebody at the terminal says yes. Nobody is there: no."""
        if not self.stdin.isatty():
            self.say(f"{question} Nobody can be asked here; write --yes.")
            return False
        self.err.write(f"{question} [y/N] ")
        self.err.flush()
        return self.stdin.readline().strip().lower() in ("y", "yes")


def dumped(value: Any) -> str:
    return json.dumps(plain(value), ensure_ascii=False)


def plain(value: Any) -> Any:
    """As JSON has it."""
    if isinstance(value, ApiError):
        known = {"code": value.code, "message": value.message, "status": value.status, "field": value.field}
        return {name: said for name, said in {**known, "request_id": value.request_id}.items() if said is not None}
    if is_dataclass(value) and not isinstance(value, type):
        return {one.name: plain(getattr(value, one.name)) for one in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [plain(item) for item in value]
    return value


def table(rows: Sequence[Sequence[object]]) -> list[str]:
    """Columns under each other; the last one as long as it is."""
    texts = [[str(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*texts, strict=True)][:-1]
    return [
        "  ".join([*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[-1]]).rstrip()
        for row in texts
    ]
