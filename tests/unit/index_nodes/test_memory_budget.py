"""What a node may still take: by its setting, or else the least that machine and control groups have free."""

import itertools
import os
from pathlib import Path

import pytest

from index_nodes.memory_budget import MemoryBudget, NoRoom, give_back_freed

MIB = 2**20


@pytest.fixture
def kernel(tmp_path: Path) -> Path:
    """The root of a machine with 1,000 MiB free, whose process uses 100 MiB."""
    write(tmp_path, "proc/meminfo", "MemTotal:       8192000 kB\nMemAvailable:   1024000 kB\n")
    write(tmp_path, "proc/self/statm", f"99999 {100 * MIB // os.sysconf('SC_PAGE_SIZE')} 5 1 0 9 0\n")
    return tmp_path


def write(root: Path, name: str, text: str) -> None:
    file = root / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


def free(root: Path, limit: int = 0) -> float:
    return MemoryBudget(limit, spared=0, root=root).free() / MIB


def test_without_control_groups_it_is_what_the_machine_has(kernel: Path) -> None:
    assert free(kernel) == 1_000


def test_a_setting_is_for_the_whole_process(kernel: Path) -> None:
    assert free(kernel, 250 * MIB) == 150
    assert free(kernel, 50 * MIB) == -50


def test_the_tightest_control_group_counts_and_the_page_cache_is_no_use(kernel: Path) -> None:
    write(kernel, "proc/self/cgroup", "0::/outer/inner\n")
    for group, limit, used in (("outer/inner", "max", 0), ("outer", f"{800 * MIB}", 700 * MIB)):
        write(kernel, f"sys/fs/cgroup/{group}/memory.max", f"{limit}\n")
        write(kernel, f"sys/fs/cgroup/{group}/memory.current", f"{used}\n")
        write(kernel, f"sys/fs/cgroup/{group}/memory.stat", f"anon 1\ninactive_file {300 * MIB}\n")
    assert free(kernel) == 400
    write(kernel, "sys/fs/cgroup/outer/inner/memory.max", f"{60 * MIB}\n")
    assert free(kernel) == 360


def test_older_control_groups_are_understood(kernel: Path) -> None:
    write(kernel, "proc/self/cgroup", "5:cpu,cpuacct:/box\n4:memory:/box\n1:name=systemd:/box\n")
    write(kernel, "sys/fs/cgroup/memory/box/memory.limit_in_bytes", f"{500 * MIB}\n")
    write(kernel, "sys/fs/cgroup/memory/box/memory.usage_in_bytes", f"{450 * MIB}\n")
    write(kernel, "sys/fs/cgroup/memory/box/memory.stat", f"cache 7\ntotal_inactive_file {50 * MIB}\n")
    assert free(kernel) == 100


@pytest.mark.parametrize("text", ["", "nonsense\n", "0::/gone\n"])
def test_control_groups_that_cannot_be_read_set_no_limit(kernel: Path, text: str) -> None:
    write(kernel, "proc/self/cgroup", text)
    assert free(kernel) == 1_000


def test_this_machine_can_be_asked() -> None:
    give_back_freed()
    assert MemoryBudget(spared=0).free() > 0


def test_what_does_not_fit_is_refused_in_words(kernel: Path) -> None:
    budget = MemoryBudget(spared=200 * MIB, root=kernel)
    budget.require(800 * MIB, "an index")
    with pytest.raises(NoRoom, match=r"an index needs about 801 MiB of memory, and 800 MiB of this machine") as error:
        budget.require(801 * MIB, "an index")
    assert error.value.needed == 801 * MIB
    with pytest.raises(NoRoom, match="0 MiB of NODE_MEMORY_BYTES are free beside 200 MiB"):
        MemoryBudget(200 * MIB, spared=200 * MIB, root=kernel).require(100 * MIB, "an index")


def test_little_always_fits(kernel: Path) -> None:
    MemoryBudget(1, spared=200 * MIB, root=kernel).require(50 * MIB, "a small index")


def test_an_answer_counts_for_a_moment(kernel: Path) -> None:
    times = itertools.count(0.0, 0.2)
    budget = MemoryBudget(spared=0, root=kernel, clock=lambda: next(times))
    found = [budget.free()]
    write(kernel, "proc/meminfo", "MemAvailable: 2048 kB\n")
    found += [budget.free() for _ in range(3)]
    assert [round(size / MIB) for size in found] == [1_000, 1_000, 1_000, 2]
