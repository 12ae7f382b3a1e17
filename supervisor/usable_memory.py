"""How much memory this process may use. What a container may use is less than what its machine has."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path, PurePosixPath


def usable_memory(root: Path = Path("/")) -> int:
    """Bytes of the machine, and no more than its control groups allow, whether they are free or not; 0 where nobody
    says. `root`: where the file systems of the kernel are."""
    return min([*_of_machine(root), *_limits(root)], default=0)


def _of_machine(root: Path) -> Iterator[int]:
    with suppress(OSError, ValueError):
        for line in (root / "proc/meminfo").read_text().splitlines():
            if line.startswith("MemTotal:"):
                yield int(line.split()[1]) * 1024


def _limits(root: Path) -> Iterator[int]:
    """Of each control group of this process, and each one around it, where it has a limit."""
    with suppress(OSError, ValueError):
        for line in (root / "proc/self/cgroup").read_text().splitlines():
            _, controllers, path = line.split(":", 2)
            own = PurePosixPath(path.lstrip("/"))
            for group in (own, *own.parents):
                # A file is missing at the root of all groups, and where a container does not show the groups around it.
                # "max" is no number.
                with suppress(OSError, ValueError):
                    if not controllers:
                        yield int((root / "sys/fs/cgroup" / group / "memory.max").read_text())
                    elif "memory" in controllers.split(","):
                        yield int((root / "sys/fs/cgroup/memory" / group / "memory.limit_in_bytes").read_text())
