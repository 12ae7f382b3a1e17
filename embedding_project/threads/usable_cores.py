"""How many cores this process may use. What a container may use is less than what its machine has."""

import math
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path, PurePosixPath


def usable_cores(root: Path = Path("/")) -> int:
    """Those that the process may run on, and no more than its control groups give it time for; at least 1."""
    return max(1, min([len(os.sched_getaffinity(0)), *(math.ceil(share) for share in _shares(root))]))


def _shares(root: Path) -> Iterator[float]:
    """The cores whose time each control group of this process has, where it has a limit."""
    with suppress(OSError, ValueError):
        for line in (root / "proc/self/cgroup").read_text().splitlines():
            _, controllers, path = line.split(":", 2)
            own = PurePosixPath(path.lstrip("/"))
            for group in (own, *own.parents):
                # A file is missing at the root of all groups, and where a container does not show the groups around it.
                with suppress(OSError, ValueError):
                    if not controllers:
                        quota, period = (root / "sys/fs/cgroup" / group / "cpu.max").read_text().split()
                    elif "cpu" in controllers.split(","):
                        folder = root / "sys/fs/cgroup/cpu" / group
                        quota = (folder / "cpu.cfs_quota_us").read_text()
                        period = (folder / "cpu.cfs_period_us").read_text()
                    else:
                        continue
                    # "max" is no number, and -1 says the same in the older form.
                    if int(quota) > 0:
                        yield int(quota) / int(period)
