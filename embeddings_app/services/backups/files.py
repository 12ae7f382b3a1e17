"""Files of a backup: hashed as they are written, checked as they are read, on disk before they count."""

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import BinaryIO

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
    """Hashes what it writes into a file of a backup."""

    def __init__(self, file: BinaryIO, path: str) -> None:
        self._file = file
        self._path = path
        self._hash = hashlib.sha256()

    def write(self, data: bytes) -> None:
        self._hash.update(data)
        self._file.write(data)

    def finish(self) -> FileEntry:
        return FileEntry(self._path, self._file.tell(), self._hash.hexdigest())


@contextmanager
def new_file(root: Path, path: str) -> Iterator[FileWriter]:
    """A file below `root` that was not there before. Raises OSError."""
    target = root / path
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    # The file may hold texts and password hashes: nobody else may read it.
    with open(target, "xb", _BLOCK_BYTES, opener=partial(os.open, mode=0o600)) as file:
        yield FileWriter(file, path)


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


def check_files(
    root: Path, entries: Iterable[FileEntry], beside: Iterable[str], seen: Callable[[int], object] | None = None
) -> None:
    """Read everything: exactly the files of `entries` and those `beside` are there, whole. `seen` is told the bytes of
    each piece that was read. Raises BackupDamaged."""
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
        for block in checked_blocks(root, entry):
            if seen is not None:
                seen(len(block))


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
