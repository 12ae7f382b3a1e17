"""Which files a job reads, and which source reads each."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from bulk_ingest.sources import jsonl, parquet
from bulk_ingest.sources.objects import etag, is_object, list_objects
from bulk_ingest.sources.opening import COMPRESSED
from bulk_ingest.sources.raw import Columns, InputFile, RawBatch, SourceError

FORMATS = ("parquet", "jsonl")
_FORMAT_OF: Mapping[str, str] = {".parquet": "parquet", ".pq": "parquet", ".jsonl": "jsonl", ".ndjson": "jsonl"}


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
    return [replace(file, groups=groups) for groups in parquet.parts(file, part_rows)]


def list_files(patterns: Iterable[str], format_: str) -> list[InputFile]:
    """The files that paths, folders, prefixes and patterns name, each once, in order. Hidden files and those that begin
    with an underscore, as other programs leave them beside their output, are left out. Raises SourceError."""
    found: dict[str, InputFile] = {}
    for pattern in patterns:
        files = list(_objects(pattern, format_) if is_object(pattern) else _files(pattern, format_))
        if not files:
            raise SourceError(f"{pattern}: no such file")
        found |= {file.path: file for file in files}
    return [found[path] for path in sorted(found)]


def _objects(pattern: str, format_: str) -> Iterator[InputFile]:
    for listed in list_objects(pattern):
        name = listed.uri.rpartition("/")[2]
        if listed.uri == pattern or not name.startswith((".", "_")):
            yield InputFile(
                path=listed.uri,
                size=listed.size,
                modified_ns=listed.modified_ns,
                etag=listed.etag,
                format=_format(listed.uri, format_),
            )


def _files(pattern: str, format_: str) -> Iterator[InputFile]:
    for path in _matching(pattern):
        try:
            status = path.stat()
        except OSError as error:
            raise SourceError(f"{path}: {error.strerror}") from error
        yield InputFile(
            path=str(path), size=status.st_size, modified_ns=status.st_mtime_ns, format=_format(str(path), format_)
        )


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


def _format(path: str, format_: str) -> str:
    name = PurePosixPath(path)
    suffix = name.with_suffix("").suffix if name.suffix in COMPRESSED else name.suffix
    known = _FORMAT_OF.get(suffix.lower()) if format_ == "auto" else format_
    if known is None:
        raise SourceError(f"{path}: its name does not tell its format; give --format")
    return known


def check_unchanged(file: InputFile) -> None:
    """Raises SourceError when the file is not what it was."""
    if is_object(file.path):
        unchanged = etag(file.path) == file.etag
    else:
        try:
            status = Path(file.path).stat()
        except OSError as error:
            raise SourceError(f"{file.path}: {error.strerror}") from error
        unchanged = (status.st_size, status.st_mtime_ns) == (file.size, file.modified_ns)
    if not unchanged:
        raise SourceError(f"{file.path}: changed since the job was planned")


def sample(file: InputFile, columns: Columns, wanted: int) -> Sample:
    """Number of rows, and about so many ids. Raises SourceError."""
    if file.format == "parquet":
        return Sample(*parquet.size(file, columns), parquet.sample_ids(file, columns, wanted))
    return Sample(*jsonl.look_through(file, columns, wanted))


def read(file: InputFile, columns: Columns) -> Iterator[RawBatch]:
    """Raises SourceError."""
    if file.format == "parquet":
        return parquet.read(file, columns)
    return jsonl.read(file, columns)
