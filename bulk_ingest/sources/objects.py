"""Objects of S3-compatible servers, `s3://bucket/key`, read by ranges.

The address of the server and the credentials come from the environment or a profile, as with every AWS program; no row,
log or message holds them.
"""

import fnmatch
import io
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeVar

import pyarrow.fs

from bulk_ingest.sources.raw import SourceError

SCHEME = "s3://"
PATIENCE_SECONDS = 30.0
"""So long a server that does not answer, or answers that it is busy, is asked again."""
_PAUSE_SECONDS = 1.0
_STATUS = re.compile(r"HTTP status (\d{3})")
_REFUSED = re.compile(r"ACCESS_DENIED|INVALID_ACCESS_KEY_ID|SIGNATURE_DOES_NOT_MATCH|INVALID_CLIENT_TOKEN_ID")
_MISSING = re.compile(r"NO_SUCH_(BUCKET|KEY)|RESOURCE_NOT_FOUND|does not exist", re.IGNORECASE)
_AGAIN = ("408", "429")
_GLOB = re.compile(r"[*?\[]")
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class ListedObject:
    uri: str
    size: int
    modified_ns: int
    etag: str


def is_object(path: str) -> bool:
    return path.startswith(SCHEME)


def list_objects(pattern: str) -> list[ListedObject]:
    """The object of this name, or all below a prefix, or those that a pattern names. Hidden ones too. Raises
    SourceError."""
    key = _key(pattern)
    found = _GLOB.search(key)
    base = key[: found.start()].rpartition("/")[0] if found else key.rstrip("/")
    infos = patient(pattern, lambda: _infos(base))
    named = [info for info in infos if info.type == pyarrow.fs.FileType.File]
    if found:
        named = [info for info in named if fnmatch.fnmatchcase(info.path, key)]
    return [ListedObject(SCHEME + info.path, info.size, info.mtime_ns, etag(SCHEME + info.path)) for info in named]


def _infos(key: str) -> list[Any]:
    files = _files(key.partition("/")[0])
    info = files.get_file_info(key)
    if info.type == pyarrow.fs.FileType.File:
        return [info]
    infos: list[Any] = files.get_file_info(pyarrow.fs.FileSelector(key, recursive=True))
    return infos


def etag(uri: str) -> str:
    """The mark of the content of the object. Raises SourceError."""

    def read() -> str:
        with _opened(uri) as file:
            return _etag(file)

    return patient(uri, read)


def _etag(file: Any) -> str:
    found: bytes = file.metadata().get("ETag", b"")
    return found.decode().strip('"')


class ObjectFile(io.RawIOBase):
    """An object as a file, which goes on where it was when the server comes back; refused once it is another."""

    def __init__(self, uri: str, size: int, etag: str) -> None:
        self._uri = uri
        self._size = size
        self._etag = etag
        self._position = 0
        self._file: Any = None

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence]
        self._position = max(start + offset, 0)
        return self._position

    def readinto(self, buffer: Any) -> int:
        """Raises SourceError."""
        wanted = min(len(buffer), max(self._size - self._position, 0))
        if not wanted:
            return 0
        data = patient(self._uri, lambda: self._read(wanted), self._forget)
        buffer[: len(data)] = data
        self._position += len(data)
        return len(data)

    def close(self) -> None:
        self._forget()
        super().close()

    def _read(self, count: int) -> bytes:
        if self._file is None:
            self._file = _opened(self._uri)
            if _etag(self._file) != self._etag:
                raise SourceError(f"{self._uri}: changed since the job was planned")
        data: bytes = self._file.read_at(count, self._position)
        return data

    def _forget(self) -> None:
        self._file = None


def patient(
    uri: str, ask: Callable[[], Result], failed: Callable[[], None] = lambda: None, seconds: float = PATIENCE_SECONDS
) -> Result:
    """What the server says, asked again for a while when it does not answer. Raises SourceError."""
    until = time.monotonic() + seconds
    while True:
        try:
            return ask()
        except FileNotFoundError:
            raise SourceError(f"{uri}: there is no such object or bucket") from None
        except OSError as error:
            failed()
            if problem := _final(str(error)):
                # The message of the library may quote what it was set up with.
                raise SourceError(f"{uri}: {problem}") from None
            if time.monotonic() + _PAUSE_SECONDS > until:
                raise SourceError(f"{uri}: the server did not answer for {seconds:.0f} s") from None
            time.sleep(_PAUSE_SECONDS)


def _final(message: str) -> str:
    """What is wrong, if it would be so again; else nothing."""
    found = _STATUS.search(message)
    status = found[1] if found else ""
    if _REFUSED.search(message) or status in ("401", "403"):
        return "the server refuses access with the credentials of the environment (403)"
    if _MISSING.search(message) or status == "404":
        return "there is no such object or bucket"
    if status.startswith("4") and status not in _AGAIN:
        return f"the server refuses the request ({status})"
    return ""


def _key(uri: str) -> str:
    """Bucket and key. Raises SourceError for an address with anything else in it."""
    key = uri.removeprefix(SCHEME)
    bucket = key.partition("/")[0]
    if not bucket or not re.fullmatch(r"[a-z0-9.\-]+", bucket):
        # It may hold credentials, so it is not repeated.
        raise SourceError("an address of objects is s3://bucket/key; credentials come from the environment alone")
    return key


@cache
def _files(bucket: str) -> Any:
    # Only when it reads an address, Arrow takes that of the server from the environment, and looks for the region.
    files, _ = pyarrow.fs.FileSystem.from_uri(SCHEME + bucket)
    return files


def _opened(uri: str) -> Any:
    key = _key(uri)
    return _files(key.partition("/")[0]).open_input_file(key)
