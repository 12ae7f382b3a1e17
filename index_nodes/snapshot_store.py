"""The folder with the snapshots of one log. It knows which snapshots count, and removes the others.

<seq>-<time>/       a whole snapshot; the newest three are kept
tmp-<id>/           a snapshot in progress, or the rest of one whose node has ended
damaged-<name>/     the last refused snapshot, for a person to look at
"""

import re
import shutil
import threading
import uuid
from pathlib import Path

from index_nodes.snapshot_files import KnownFiles, sync_folder

KEPT = 3
_NAME = re.compile(r"(\d{20})-(\d{14})")
_TEMPORARY, _DAMAGED = "tmp-", "damaged-"


class StoreClosed(Exception):
    """Nobody wants snapshots of this index any more."""


class SnapshotStore:
    """Used by the follower, the thread that loads, and the thread that writes. All methods may raise OSError."""

    def __init__(self, folder: Path, known: KnownFiles | None = None) -> None:
        self.known = known or KnownFiles()
        """What this process has read of the snapshots. A start reads everything once."""
        self._folder = folder
        self._lock = threading.Lock()
        self._closed = False
        for left in folder.glob(f"{_TEMPORARY}*"):
            _remove(left)
        self._counted = self._named()

    @property
    def oldest_seq(self) -> int:
        """The node needs the log from this number on; 0 without a snapshot."""
        counted = self._counted
        return _seq(counted[0]) if counted else 0

    @property
    def newest_seq(self) -> int | None:
        counted = self._counted
        return _seq(counted[-1]) if counted else None

    @property
    def newest_at(self) -> float | None:
        """When the newest snapshot was written, in seconds since 1970."""
        counted = self._counted
        return int(counted[-1].split("-")[1]) / 1_000 if counted else None

    def newest_first(self) -> list[Path]:
        return [self._folder / name for name in reversed(self._counted)]

    def begin(self) -> Path:
        """An empty folder to write a snapshot into."""
        folder = self._folder / f"{_TEMPORARY}{uuid.uuid4().hex}"
        folder.mkdir(mode=0o700, parents=True)
        return folder

    def publish(self, written: Path, name: str) -> Path:
        """Give a complete folder its name. The snapshot counts after `accept`, when it has been read again. Raises
        StoreClosed."""
        with self._lock:
            if self._closed:
                raise StoreClosed
            target = self._folder / name
            written.rename(target)
            sync_folder(self._folder)
            return target

    def accept(self, verified: Path) -> None:
        """Let a snapshot count, and remove all but the newest three. Raises StoreClosed."""
        with self._lock:
            if self._closed:
                raise StoreClosed
            counted = sorted({*self._counted, verified.name})
            self._counted, old = counted[-KEPT:], counted[:-KEPT]
            for name in old:
                _remove(self._folder / name)

    def set_aside(self, damaged: Path) -> None:
        """Give a refused snapshot a name that no node reads, and remove the previous refused one."""
        with self._lock:
            self._counted = [name for name in self._counted if name != damaged.name]
            for earlier in self._folder.glob(f"{_DAMAGED}*"):
                _remove(earlier)
            damaged.rename(self._folder / f"{_DAMAGED}{damaged.name}")

    def discard(self, folder: Path) -> None:
        with self._lock:
            self._counted = [name for name in self._counted if name != folder.name]
            _remove(folder)

    def close(self) -> None:
        """Accept no more snapshots; the present ones stay for the next start."""
        with self._lock:
            self._closed = True

    def close_and_discard(self) -> None:
        """Accept no more snapshots, and remove the present ones."""
        self.close()
        for name in self._named():
            self.discard(self._folder / name)

    def _named(self) -> list[str]:
        return sorted(path.name for path in self._folder.glob("*") if _NAME.fullmatch(path.name))


def remove_other_stores(folder: Path, kept: set[Path]) -> None:
    """Remove the snapshots of logs that are no longer followed. Raises OSError."""
    for store in folder.iterdir() if folder.exists() else ():
        if store not in kept:
            _remove(store)


def _seq(name: str) -> int:
    return int(name.split("-")[0])


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
