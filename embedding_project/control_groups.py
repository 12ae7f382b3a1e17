"""The control groups of this process: what a container may use is less than what its machine has."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import NamedTuple


class GroupFolder(NamedTuple):
    path: Path
    """Files are missing in that of the root of all groups, and in those that a container does not show."""
    is_older_form: bool
    """Whether the files have the names that they had when each controller had groups of its own."""


def group_folders(controller: str, root: Path = Path("/")) -> Iterator[GroupFolder]:
    """What the kernel tells of each group of this process that has the controller, and of each group around it. None on
    a machine without. `root`: where the file systems of the kernel are."""
    with suppress(OSError, ValueError):
        for line in (root / "proc/self/cgroup").read_text().splitlines():
            _, controllers, path = line.split(":", 2)
            if controllers and controller not in controllers.split(","):
                continue
            mount = root / "sys/fs/cgroup" / (controller if controllers else "")
            own = PurePosixPath(path.lstrip("/"))
            for group in (own, *own.parents):
                yield GroupFolder(mount / group, bool(controllers))
