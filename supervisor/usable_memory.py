"""How much memory this process may use. What a container may use is less than what its machine has."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from embedding_project.control_groups import group_folders


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
    for folder, is_older_form in group_folders("memory", root):
        # "max" is no number.
        with suppress(OSError, ValueError):
            yield int((folder / ("memory.limit_in_bytes" if is_older_form else "memory.max")).read_text())
