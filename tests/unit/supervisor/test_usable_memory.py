"""The memory of a process in control groups, with made-up files of the kernel, and what Postgres takes of it."""

from pathlib import Path

import pytest

from supervisor.postgres import memory_settings
from supervisor.usable_memory import usable_memory

MIB = 2**20
MACHINE = {"proc/meminfo": "MemTotal:       8192000 kB\nMemFree:         100000 kB\n"}


def usable(root: Path, files: dict[str, str]) -> float:
    for name, text in files.items():
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return usable_memory(root) / MIB


@pytest.mark.parametrize(
    "files",
    [
        {},
        {"proc/self/cgroup": "0::/\n"},
        {"proc/self/cgroup": "0::/app\n", "sys/fs/cgroup/app/memory.max": "max\n"},
        {"proc/self/cgroup": "4:memory:/app\n", "sys/fs/cgroup/memory/app/memory.limit_in_bytes": f"{2**63 - 4096}\n"},
        {"proc/self/cgroup": "nonsense\n"},
    ],
)
def test_without_a_limit_it_is_that_of_the_machine(tmp_path: Path, files: dict[str, str]) -> None:
    assert usable(tmp_path, MACHINE | files) == 8_000


@pytest.mark.parametrize(
    "files",
    [
        {"proc/self/cgroup": "0::/app\n", "sys/fs/cgroup/app/memory.max": f"{500 * MIB}\n"},
        # The group around it has the limit.
        {
            "proc/self/cgroup": "0::/pod/app\n",
            "sys/fs/cgroup/pod/memory.max": f"{500 * MIB}\n",
            "sys/fs/cgroup/pod/app/memory.max": "max\n",
        },
        {
            "proc/self/cgroup": "4:cpu:/app\n5:memory:/app\n",
            "sys/fs/cgroup/memory/app/memory.limit_in_bytes": f"{500 * MIB}\n",
        },
    ],
)
def test_the_narrowest_group_limits_it(tmp_path: Path, files: dict[str, str]) -> None:
    assert usable(tmp_path, MACHINE | files) == 500


def test_nobody_may_say_how_much_there_is(tmp_path: Path) -> None:
    assert usable(tmp_path, {}) == 0


@pytest.mark.parametrize(
    ("machine", "buffers", "cache"), [(0, 256, 1_024), (1, 256, 1_024), (16, 2_048, 4_096), (512, 8_192, 131_072)]
)
def test_postgres_buffers_a_part_of_it(machine: int, buffers: int, cache: int) -> None:
    settings = memory_settings(machine * 1_024 * MIB)
    assert settings == {"shared_buffers": f"{buffers}MB", "effective_cache_size": f"{cache}MB"}
