"""The memory that a node may still take, and the refusal of what does not fit.

A node that takes more than there is gets killed, with all indexes that it serves. So it asks here before it loads.
"""

import ctypes
import os
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

from embedding_project.control_groups import group_folders

SPARED_BYTES = 128 * 2**20
"""Left free: for searches, snapshots, and for what estimates do not know."""
_KNOWN_SECONDS = 0.5
"""How long an answer counts: to ask the system takes a tenth of a millisecond."""
_MIB = 2**20
_NO_LIMIT = 2**62
_FILES = ("memory.max", "memory.current", "inactive_file")
_OLDER_FILES = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")


class NoRoom(Exception):
    """Something needs more memory than the node may take; the message says how much."""

    def __init__(self, message: str, needed: int) -> None:
        super().__init__(message)
        self.needed = needed
        """Free bytes with which it is worth another try."""


class MemoryBudget:
    def __init__(
        self,
        limit_bytes: int = 0,
        *,
        spared: int = SPARED_BYTES,
        root: Path = Path("/"),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`limit_bytes`: for this process and the builders that it starts; 0 for what the machine, and each control
        group of this process, has free. `root`: where the file systems of the kernel are."""
        self.spared = spared
        self._limit = limit_bytes
        self._root = root
        self._clock = clock
        self._known_until = float("-inf")
        self._free = 0

    def free(self) -> int:
        """Bytes that may still be taken, as of half a second ago at most."""
        now = self._clock()
        if now >= self._known_until:
            self._free = self._ask() - self.spared
            self._known_until = now + _KNOWN_SECONDS
        return self._free

    def require(self, needed: int, what: str) -> None:
        """Raises NoRoom unless so many bytes are free, or so few are needed that the spared ones will do."""
        if needed > max(free := self.free(), self.spared // 4):
            whose = "of NODE_MEMORY_BYTES" if self._limit else "of this machine or control group"
            raise NoRoom(
                f"{what} needs about {needed // _MIB:,} MiB of memory, and {max(free, 0) // _MIB:,} MiB {whose} are"
                f" free beside {self.spared // _MIB} MiB that stay free",
                needed,
            )

    def _ask(self) -> int:
        if self._limit:
            return self._limit - self.resident()
        return min([self._available(), *self._group_rooms()])

    def resident(self) -> int:
        """Bytes that this process has now."""
        pages = (self._root / "proc/self/statm").read_text().split()[1]
        return int(pages) * os.sysconf("SC_PAGE_SIZE")

    def _available(self) -> int:
        for line in (self._root / "proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
        return _NO_LIMIT

    def _group_rooms(self) -> Iterator[int]:
        """What each control group of this process, and each one around it, has free. None on a machine without."""
        for folder, is_older_form in group_folders("memory", self._root):
            limit, used, reclaimable = _OLDER_FILES if is_older_form else _FILES
            with suppress(OSError, ValueError):
                most = (folder / limit).read_text().strip()
                if most != "max":
                    stat = dict(line.split() for line in (folder / "memory.stat").read_text().splitlines())
                    yield int(most) - int((folder / used).read_text()) + int(stat.get(reclaimable, 0))


def give_back_freed() -> None:
    """Let the system have the memory back that this process has freed: the allocator would keep most of it for later.
    Does nothing where the C library cannot do it."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
