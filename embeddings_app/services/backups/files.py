"""Files of a backup: hashed as they are written, checked as they are read, on disk before they count."""

import hashlib
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from embeddings_app.services.backups.errors import BackupDamaged, BackupRefused

_BLOCK_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class FileEntry:
    """One file of a backup."""

    path: str
    """Relative to the backup, with slashes."""
    size: int
    """In bytes."""
    sha256: str


class FileWriter:
    """Gathers small writes, and hashes what it writes."""

    def __init__(self, root: Path, path: str) -> None:
        self._path = path
        self._hash = hashlib.sha256()
        self._size = 0
        self._waiting = bytearray()
        target = root / path
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Texts and password hashes: for nobody else to read.
        self._file = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)

    def write(self, data: bytes) -> None:
        self._waiting += data
        if len(self._waiting) >= _BLOCK_BYTES:
            self._flush()

    def _flush(self) -> None:
        self._hash.update(self._waiting)
        self._size += len(self._waiting)
        with memoryview(self._waiting) as view:
            written = 0
            while written < len(view):
                written += os.write(self._file, view[written:])
        self._waiting.clear()

    def finish(self) -> FileEntry:
        self._flush()
        return FileEntry(self._path, self._size, self._hash.hexdigest())

    def close(self) -> None:
        os.close(self._file)


@contextmanager
def new_file(root: Path, path: str) -> Iterator[FileWriter]:
    """A file below `root` that was not there before. Raises OSError."""
    writer = FileWriter(root, path)
    try:
        yield writer
    finally:
        writer.close()


def blocks_of(path: Path) -> Iterator[bytes]:
    """The content of a file, a piece at a time. Raises OSError."""
    with path.open("rb") as file:
        while block := file.read(_BLOCK_BYTES):
            yield block


def checked_blocks(root: Path, entry: FileEntry) -> Iterator[bytes]:
    """The content of a file of a backup; BackupDamaged after the last piece when it was not what the entry says."""
    digest = hashlib.sha256()
    for block in blocks_of(root / entry.path):
        digest.update(block)
        yield block
    if digest.hexdigest() != entry.sha256:
        raise BackupDamaged(f"{entry.path} has another SHA-256 than the manifest says")


def check_files(root: Path, entries: Iterable[FileEntry], beside: Iterable[str]) -> None:
    """Read everything: exactly the files of `entries` and those `beside` are there, whole. Raises BackupDamaged."""
    listed = {entry.path: entry for entry in entries}
    present = set(regular_files(root))
    if missing := sorted(listed.keys() - present):
        raise BackupDamaged(f"{missing[0]} is missing")
    if unknown := sorted(present - listed.keys() - set(beside)):
        raise BackupDamaged(f"{unknown[0]} is not in the manifest")
    for entry in listed.values():
        size = (root / entry.path).stat().st_size
        if size != entry.size:
            raise BackupDamaged(f"{entry.path} has {size} bytes, the manifest says {entry.size}")
    for entry in listed.values():
        for _ in checked_blocks(root, entry):
            pass


def regular_files(root: Path) -> list[str]:
    """Paths of all files below `root`, relative to it. Raises BackupRefused over links and devices."""
    found = []
    for folder, folders, names in os.walk(root):
        for name in [*folders, *names]:
            path = Path(folder, name)
            if path.is_symlink() or not (path.is_dir() or path.is_file()):
                raise BackupRefused(f"{path} is a link or a device, not a file")
        found += [Path(folder, name).relative_to(root).as_posix() for name in names]
    return sorted(found)


def sync_tree(root: Path) -> None:
    """Have every file and folder below `root` on disk. Raises OSError."""
    for folder, _, names in os.walk(root, topdown=False):
        for name in names:
            sync(Path(folder, name))
        sync(Path(folder))


def sync(path: Path) -> None:
    """Have one file, or the names in one folder, on disk. Raises OSError."""
    opened = os.open(path, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
