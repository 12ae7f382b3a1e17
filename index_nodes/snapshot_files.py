"""The files of a snapshot: written through to the disk with a checksum each, and listed in a manifest.

The manifest has one canonical form and a checksum over itself, so a changed byte anywhere in it is noticed. A reader
believes the manifest only after a check of its types and ranges, and no name in it leads out of the folder.
"""

import hashlib
import json
import os
import re
import shutil
import stat
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

MANIFEST = "manifest.json"
FORMAT = 3
_MAX_MANIFEST_BYTES = 64 * 2**20
_FILE_NAME = re.compile(r"[a-z][a-z0-9_-]{0,60}\.(npy|jsonl|faiss)")
_SHA256 = re.compile(r"[0-9a-f]{64}")


class FileFacts(NamedTuple):
    size: int
    """Bytes."""
    sha256: str
    """In hexadecimal digits."""


class HashedFile:
    """A new file. At the end of the `with` block it is on the disk and its facts are known. Raises OSError."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("xb")
        self._hash = hashlib.sha256()
        self._size = 0

    @property
    def facts(self) -> FileFacts:
        return FileFacts(self._size, self._hash.hexdigest())

    def write(self, data: bytes | memoryview) -> None:
        self._file.write(data)
        self._hash.update(data)
        self._size += len(data)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._file:
            if kind is None:
                self._file.flush()
                os.fsync(self._file.fileno())


def sha256_of(path: Path) -> str:
    """The checksum of a file. Raises OSError, also when the path is a symbolic link."""
    with open(path, "rb", opener=no_link) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class KnownFiles:
    """The checksums of the files of one disk that were read once. A graph that snapshots share is not read for each."""

    def __init__(self, read: Callable[[Path], str] = sha256_of) -> None:
        self._read = read
        self._sums: dict[tuple[int, int, int], str] = {}
        self._used: dict[tuple[int, int, int], str] = {}

    def sha256_of(self, path: Path) -> str:
        """The checksum of a file, remembered by inode, size and time of the last change. Raises OSError."""
        facts = path.lstat()
        key = facts.st_ino, facts.st_size, facts.st_mtime_ns
        self._used[key] = self._sums.get(key) or self._read(path)
        return self._used[key]

    def forget_unused(self) -> None:
        """Keep only the files that were asked for since the last call: others may be gone, and their inodes free."""
        self._sums, self._used = self._used, {}


def link_or_copy(source: Path, target: Path, link: Callable[..., None] = os.link) -> None:
    """Give a file that never changes a second name, or copy it where links are not possible. Raises OSError."""
    try:
        link(source, target, follow_symlinks=False)
    except FileNotFoundError:
        raise
    except OSError:
        shutil.copyfile(source, target, follow_symlinks=False)
        with target.open("rb") as file:
            os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable. Raises OSError."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def no_link(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW)


class SnapshotDamaged(Exception):
    """A snapshot that must not be read; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    format: int
    epoch: str
    layout: int
    version_key: int
    shard: int
    seq: int
    """The snapshot has every change of the log up to this number, and perhaps later ones."""
    dimension: int
    storage: str
    """How the graphs hold vectors, see `VectorStorage`."""
    metric: str
    neighbours: int
    """M of the graphs; with `metric`, `ef_construction` and `faiss`, see `GRAPH_KIND`."""
    ef_construction: int
    faiss: str
    """The version of Faiss that wrote the graphs."""
    documents: int
    digest: int
    written_ms: int
    """Milliseconds since 1970."""
    files: Mapping[str, FileFacts]
    """By name, without the manifest."""

    @property
    def folder_name(self) -> str:
        """Sorts by age."""
        return f"{self.seq:020d}-{self.written_ms:014d}"


def encode(manifest: Manifest) -> bytes:
    body = {**asdict(manifest), "files": {name: list(facts) for name, facts in manifest.files.items()}}
    text = _canonical(body)
    return _canonical({"manifest": body, "sha256": hashlib.sha256(text).hexdigest()})


def decode(data: bytes) -> Manifest:
    """Raises SnapshotDamaged."""
    try:
        content = json.loads(data)
        body = content["manifest"]
        if content["sha256"] != hashlib.sha256(_canonical(body)).hexdigest() or _canonical(content) != data:
            raise SnapshotDamaged("the manifest was changed")
        files = {_name(name): _facts(*facts) for name, facts in body["files"].items()}
        manifest = Manifest(**{**body, "files": files})
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise SnapshotDamaged("the manifest cannot be read") from error
    _check_types(manifest)
    if manifest.format != FORMAT:
        raise SnapshotDamaged(f"its format is {manifest.format}")
    return manifest


def read_manifest(folder: Path) -> Manifest:
    """The manifest of a folder, whose name it must fit. Raises SnapshotDamaged, OSError."""
    if not stat.S_ISDIR(folder.lstat().st_mode):
        raise SnapshotDamaged("it is not a folder")
    path = folder / MANIFEST
    facts = path.lstat()
    if not stat.S_ISREG(facts.st_mode) or facts.st_size > _MAX_MANIFEST_BYTES:
        raise SnapshotDamaged("the manifest is not a file, or too large")
    manifest = decode(path.read_bytes())
    if folder.name != manifest.folder_name:
        raise SnapshotDamaged("the folder and its manifest are of different snapshots")
    return manifest


def verified(folder: Path, known: KnownFiles | None = None) -> Manifest:
    """The manifest of a folder, when the folder holds exactly its files, unchanged. Does not read again what is in
    `known`. Raises SnapshotDamaged."""
    known = known or KnownFiles()
    try:
        manifest = read_manifest(folder)
        if set(os.listdir(folder)) != {*manifest.files, MANIFEST}:
            raise SnapshotDamaged("its files are not those of its manifest")
        for name, facts in manifest.files.items():
            found = (folder / name).lstat()
            if not stat.S_ISREG(found.st_mode) or found.st_size != facts.size:
                raise SnapshotDamaged(f"{name} is not a file of the right size")
        for name, facts in manifest.files.items():
            if known.sha256_of(folder / name) != facts.sha256:
                raise SnapshotDamaged(f"{name} was changed")
        known.forget_unused()
    except OSError as error:
        raise SnapshotDamaged(f"it cannot be read: {error.strerror}") from error
    return manifest


def _canonical(content: object) -> bytes:
    return json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()


def _name(name: str) -> str:
    if not _FILE_NAME.fullmatch(name):
        raise ValueError("not a name of a file of a snapshot")
    return name


def _facts(size: Any, sha256: Any) -> FileFacts:
    if type(size) is not int or size < 0 or not _SHA256.fullmatch(sha256):
        raise ValueError("not the facts of a file")
    return FileFacts(size, sha256)


def _check_types(manifest: Manifest) -> None:
    for field in fields(manifest):
        value = getattr(manifest, field.name)
        if field.type is int and (type(value) is not int or value < 0):
            raise SnapshotDamaged(f"{field.name} is not a number")
        if field.type is str and not isinstance(value, str):
            raise SnapshotDamaged(f"{field.name} is not a text")
