"""Where rows come from: files, frames, iterables. Rows are read as they are needed."""

import csv
import json
from collections.abc import AsyncIterable, Callable, Iterable, Iterator, Mapping, Sized
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import IO, Any

from embsearch.upload.rows import BadRow

_PARQUET_ROWS = 512
_MOST_FIELD_CHARACTERS = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    rows: Iterable[object] | AsyncIterable[object]
    total: int | None = None
    """Rows, where that is known before."""
    share: Callable[[], float | None] = lambda: None
    """How much of a file was read, 0 to 1."""
    identity: Mapping[str, Any] | None = None
    """By which a checkpoint knows the file again."""
    columns: tuple[str, ...] | None = None
    """Of a table."""


def source_of(given: Any) -> Source:
    """Raises ValueError for what holds no rows, OSError for a file that cannot be read."""
    if isinstance(given, Source):
        return given
    if isinstance(given, str | Path):
        return _file(Path(given))
    if hasattr(given, "itertuples") and hasattr(given, "columns"):
        return Source(rows=_frame_rows(given), total=len(given), columns=tuple(map(str, given.columns)))
    if isinstance(given, Iterable | AsyncIterable) and not isinstance(given, bytes | Mapping):
        return Source(rows=given, total=len(given) if isinstance(given, Sized) else None)
    raise ValueError(f"documents come from a path, a DataFrame or an iterable, not from {type(given).__name__}")


def _file(path: Path) -> Source:
    kinds = {
        ".jsonl": _json_lines,
        ".ndjson": _json_lines,
        ".csv": lambda path: _csv(path, ","),
        ".tsv": lambda path: _csv(path, "\t"),
        ".parquet": _parquet,
    }
    kind = kinds.get(path.suffix.lower())
    if kind is None:
        raise ValueError(f"{path.name}: the name must end in one of {', '.join(kinds)}")
    return kind(path)


def _identity(path: Path) -> dict[str, Any]:
    found = path.stat()
    return {"file": path.name, "bytes": found.st_size, "changed_ns": found.st_mtime_ns}


class _Lines:
    """The lines of a text file, and how much of it was read."""

    def __init__(self, path: Path) -> None:
        self._path, self._read, self._size = path, 0, max(1, path.stat().st_size)

    def __iter__(self) -> Iterator[bytes]:
        with self._path.open("rb") as file:
            for line in file:
                self._read += len(line)
                yield line

    def share(self) -> float:
        return self._read / self._size


def _json_lines(path: Path) -> Source:
    lines = _Lines(path)
    rows = (_json_row(line) for line in lines if line.strip())
    return Source(rows=rows, share=lines.share, identity=_identity(path))


def _json_row(line: bytes) -> object:
    try:
        return json.loads(line)
    except (ValueError, RecursionError) as error:
        return BadRow(f"the line is no JSON: {error}")


def _csv(path: Path, delimiter: str) -> Source:
    """With a header. Every value is a text."""
    csv.field_size_limit(_MOST_FIELD_CHARACTERS)
    with path.open(encoding="utf-8-sig", newline="") as file:
        header = next(csv.reader(file, delimiter=delimiter), None)
    if not header:
        raise ValueError(f"{path.name} has no header")
    lines = _Lines(path)

    def rows() -> Iterator[object]:
        decoded = (line.decode("utf-8", errors="replace") for line in lines)
        table = csv.reader(decoded, delimiter=delimiter)
        next(table)
        while True:
            try:
                cells = next(table)
            except StopIteration:
                return
            except csv.Error as error:
                yield BadRow(f"the row is no CSV: {error}")
                continue
            if len(cells) > len(header):
                yield BadRow(f"the row has {len(cells)} cells, the header {len(header)}")
            elif cells:
                yield dict(zip(header, cells, strict=False))

    return Source(rows=rows(), share=lines.share, identity=_identity(path), columns=tuple(header))


def _parquet(path: Path) -> Source:
    parquet = import_module("pyarrow.parquet")
    with parquet.ParquetFile(path) as file:
        total, names = file.metadata.num_rows, tuple(file.schema_arrow.names)

    def rows() -> Iterator[object]:
        with parquet.ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=_PARQUET_ROWS):
                yield from batch.to_pylist()

    return Source(rows=rows(), total=total, identity=_identity(path), columns=names)


def _frame_rows(frame: Any) -> Iterator[object]:
    names = list(map(str, frame.columns))
    for values in frame.itertuples(index=False, name=None):
        yield dict(zip(names, values, strict=True))


def text_stream(file: IO[str]) -> Iterator[object]:
    """JSON lines that come from somewhere else, such as standard input."""
    return (_json_row(line.encode()) for line in file if line.strip())
