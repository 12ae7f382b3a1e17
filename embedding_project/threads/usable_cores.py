"""How many cores this process may use. What a container may use is less than what its machine has."""

import math
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from embedding_project.control_groups import group_folders


def usable_cores(root: Path = Path("/")) -> int:
    """Those that the process may run on, and no more than its control groups give it time for; at least 1."""
    return max(1, min([len(os.sched_getaffinity(0)), *(math.ceil(share) for share in _shares(root))]))


def _shares(root: Path) -> Iterator[float]:
    """The cores whose time each control group of this process has, where it has a limit."""
    for folder, is_older_form in group_folders("cpu", root):
        with suppress(OSError, ValueError):
            if is_older_form:
                quota = (folder / "cpu.cfs_quota_us").read_text()
                period = (folder / "cpu.cfs_period_us").read_text()
            else:
                quota, period = (folder / "cpu.max").read_text().split()
            # "max" is no number, and -1 says the same in the older form.
            if int(quota) > 0:
                yield int(quota) / int(period)
