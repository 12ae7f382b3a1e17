"""How far a load is, and what came of it."""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import IO

from embsearch.wording import plural

MOST_FAILED_KEPT = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class FailedDocument:
    row: int
    """From 0, in the order of the source."""
    id: str | None
    """None where the row has none."""
    code: str
    """As in docs/reference/errors.md; `bad_row` for a row that is no document."""
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadProgress:
    rows: int
    """That are done, by an earlier load with the same checkpoint too."""
    written: int
    failed: int
    total: int | None
    """Rows of the source; of a text file, as its size lets expect. None: not known."""
    rows_per_second: float
    eta_seconds: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadReport:
    rows: int
    written: int
    """Documents that the service took now."""
    unchanged: int
    """Those of them that it had already as they are: nothing was written."""
    resumed: int
    """Rows that an earlier load with the same checkpoint had done."""
    failed_count: int
    failed: tuple[FailedDocument, ...]
    """The first thousand of them."""
    seconds: float


ProgressCallback = Callable[[UploadProgress], object]


def progress_line(stream: IO[str] | None = None) -> ProgressCallback:
    """Writes a line for people: the same one again and again on a terminal."""
    out = stream or sys.stderr
    end = "\r" if out.isatty() else "\n"

    def show(progress: UploadProgress) -> None:
        documents = (
            f"{progress.rows:,} of {plural(progress.total, 'document')}"
            if progress.total
            else plural(progress.rows, "document")
        )
        failed = f", {progress.failed:,} failed" if progress.failed else ""
        left = "" if progress.eta_seconds is None else f", {_duration(progress.eta_seconds)} left"
        text = f"{documents}, {progress.rows_per_second:,.0f} a second{failed}{left}"
        out.write(text.ljust(78) + end if end == "\r" else text + end)
        out.flush()

    return show


def _duration(seconds: float) -> str:
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    return f"{whole // 60} min" if whole < 7200 else f"{whole // 3600} h {whole % 3600 // 60} min"
