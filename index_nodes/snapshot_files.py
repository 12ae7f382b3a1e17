"""Files as snapshots need them: written through to the disk with a known checksum, and read without following links."""

import hashlib
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


class FileFacts(NamedTuple):
    size: int
    """Bytes."""
    sha256: str
    """In hexadecimal digits."""


class HashedFile:
    """A new file; once the block has ended it is on the disk and its facts are known. Raises OSError."""

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
    """Raises OSError, also when the path is a symbolic link."""
    with open(path, "rb", opener=_no_link) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_arrays(path: Path, dtype: str, row_shape: tuple[int, ...], parts: Sequence[Array]) -> FileFacts:
    """Write the parts, one after another, as one npy array whose rows have the given shape. Raises OSError."""
    shape = (sum(len(part) for part in parts), *row_shape)
    with HashedFile(path) as file:
        header = {"descr": dtype, "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(file, header)
        for part in parts:
            if part.size:
                file.write(np.ascontiguousarray(part, dtype).data.cast("B"))
    return file.facts


def read_array(path: Path, dtype: str, row_shape: tuple[int, ...]) -> Array:
    """An npy file of exactly this kind. Raises OSError, ValueError; believes no size that the file does not have."""
    with open(path, "rb", opener=_no_link) as file:
        if np.lib.format.read_magic(file) != (1, 0):
            raise ValueError("an array of another format")
        shape, columns_first, found = np.lib.format.read_array_header_1_0(file)
        if columns_first or found != np.dtype(dtype) or len(shape) != 1 + len(row_shape) or shape[1:] != row_shape:
            raise ValueError("an array of another type or shape")
        count = int(np.prod(shape, dtype=object))
        if os.fstat(file.fileno()).st_size - file.tell() != count * found.itemsize:
            raise ValueError("an array of another length")
        return np.fromfile(file, found, count).reshape(shape)


def link_or_copy(source: Path, target: Path) -> None:
    """Give a file that never changes a second name, or copy it where that cannot be. Raises OSError."""
    try:
        os.link(source, target, follow_symlinks=False)
    except FileNotFoundError:
        raise
    except OSError:
        shutil.copyfile(source, target, follow_symlinks=False)
        with target.open("rb") as file:
            os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    """Make names in a folder durable. Raises OSError."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _no_link(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW)
