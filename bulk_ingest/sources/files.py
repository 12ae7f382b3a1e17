"""Which files a job reads, and which source reads each."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from bulk_ingest.sources import jsonl, parquet
from bulk_ingest.sources.raw import Columns, RawBatch, SourceError

FORMATS = ("parquet", "jsonl")
_FORMAT_OF: Mapping[str, str] = {".parquet": "parquet", ".pq": "parquet", ".jsonl": "jsonl", ".ndjson": "jsonl"}
_COMPRESSED = (".gz", ".zst")


@dataclass(frozen=True, slots=True, kw_only=True)
class InputFile:
    """A file as it was when it was listed."""

    path: Path
    size: int
    modified_ns: int
    format: str
    groups: tuple[int, int] | None = None
    """Row groups from the first number up to the second, exclusive: a part of a Parquet file. None for a whole file."""


@dataclass(frozen=True, slots=True)
class Sample:
    rows: int
    bytes: int
    """About, once it is not compressed."""
    ids: Sequence[str]


def parts_of(file: InputFile, part_rows: int) -> list[InputFile]:
    """The file in parts of about so many rows, which several processes can read. Raises SourceError."""
    if file.format != "parquet":
        return [file]
    return [replace(file, groups=groups) for groups in parquet.parts(file.path, part_rows)]


def list_files(patterns: Iterable[str], format_: str) -> list[InputFile]:
    """The files that paths, folders and patterns name, each once, in order. Hidden files and those that begin with an
    underscore, as other programs leave them beside their output, are left out. Raises SourceError."""
    found: dict[Path, InputFile] = {}
    for pattern in patterns:
        paths = list(_matching(pattern))
        if not paths:
            raise SourceError(f"{pattern}: no such file")
        for path in paths:
            found[path] = _listed(path, format_)
    return [found[path] for path in sorted(found)]


def _matching(pattern: str) -> Iterator[Path]:
    path = Path(pattern)
    if path.is_file():
        yield path.resolve()
        return
    paths = path.rglob("*") if path.is_dir() else _globbed(path)
    for one in paths:
        if one.is_file() and not one.name.startswith((".", "_")):
            yield one.resolve()


def _globbed(pattern: Path) -> Iterator[Path]:
    root = Path(pattern.anchor)
    return root.glob(str(pattern.relative_to(root)))


def _listed(path: Path, format_: str) -> InputFile:
    suffix = path.with_suffix("").suffix if path.suffix in _COMPRESSED else path.suffix
    known = _FORMAT_OF.get(suffix.lower()) if format_ == "auto" else format_
    if known is None:
        raise SourceError(f"{path}: its name does not tell its format; give --format")
    try:
        status = path.stat()
    except OSError as error:
        raise SourceError(f"{path}: {error.strerror}") from error
    return InputFile(path=path, size=status.st_size, modified_ns=status.st_mtime_ns, format=known)


def check_unchanged(file: InputFile) -> None:
    """Raises SourceError when the file is not what it was."""
    try:
        status = file.path.stat()
    except OSError as error:
        raise SourceError(f"{file.path}: {error.strerror}") from error
    if (status.st_size, status.st_mtime_ns) != (file.size, file.modified_ns):
        raise SourceError(f"{file.path}: changed since the job was planned")


def sample(file: InputFile, columns: Columns, wanted: int) -> Sample:
    """Number of rows, and about so many ids. Raises SourceError."""
    if file.format == "parquet":
        return Sample(*parquet.size(file.path, columns), parquet.sample_ids(file.path, columns, wanted))
    return Sample(*jsonl.look_through(file.path, columns, wanted))


def read(file: InputFile, columns: Columns) -> Iterator[RawBatch]:
    """Raises SourceError."""
    if file.format == "parquet":
        return parquet.read(file.path, columns, file.groups)
    return jsonl.read(file.path, columns)
