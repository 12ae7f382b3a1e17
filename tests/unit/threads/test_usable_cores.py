"""The cores of a process in control groups, with made-up files of the kernel."""

import os
from pathlib import Path

import pytest

from embedding_project.threads.usable_cores import usable_cores


def write(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)


@pytest.mark.parametrize(
    "files",
    [
        {},
        {"proc/self/cgroup": "0::/\n"},
        {"proc/self/cgroup": "0::/app\n", "sys/fs/cgroup/app/cpu.max": "max 100000\n"},
        {"proc/self/cgroup": "4:cpu,cpuacct:/app\n", "sys/fs/cgroup/cpu/app/cpu.cfs_quota_us": "-1\n"},
        {"proc/self/cgroup": "nonsense\n"},
    ],
)
def test_without_a_limit_all_cores_may_be_used(tmp_path: Path, files: dict[str, str]) -> None:
    write(tmp_path, files)
    assert usable_cores(tmp_path) == len(os.sched_getaffinity(0))


@pytest.mark.parametrize(
    "files",
    [
        {"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "100000 100000\n"},
        {"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "20000 100000\n"},
        # The group around it has the limit.
        {
            "proc/self/cgroup": "0::/pod/app\n",
            "sys/fs/cgroup/pod/cpu.max": "50000 100000\n",
            "sys/fs/cgroup/pod/app/cpu.max": "max 100000\n",
        },
        {
            "proc/self/cgroup": "5:memory:/app\n4:cpu,cpuacct:/app\n",
            "sys/fs/cgroup/cpu/app/cpu.cfs_quota_us": "90000\n",
            "sys/fs/cgroup/cpu/app/cpu.cfs_period_us": "100000\n",
        },
    ],
)
def test_the_narrowest_group_limits_them_to_one_at_least(tmp_path: Path, files: dict[str, str]) -> None:
    write(tmp_path, files)
    assert usable_cores(tmp_path) == 1


def test_a_part_of_a_core_counts_as_one(tmp_path: Path) -> None:
    write(tmp_path, {"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "150000 100000\n"})
    assert usable_cores(tmp_path) == min(2, len(os.sched_getaffinity(0)))
