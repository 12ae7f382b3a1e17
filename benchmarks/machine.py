"""The machine and the code that a result belongs to."""

import os
import platform
import subprocess
from dataclasses import dataclass
from pathlib import Path

from embedding_project.config import PROJECT_ROOT


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    processor: str
    cores: int
    """Those this process may use."""
    memory_gib: float
    system: str
    python: str
    load_before: float
    """Runnable processes over the last minute, before the measurement began: what others were doing."""

    def __str__(self) -> str:
        return (
            f"{self.cores} cores of {self.processor}, {self.memory_gib:.0f} GiB, {self.system}, "
            f"Python {self.python}, load before {self.load_before:.1f}"
        )


def this_machine() -> Machine:
    return Machine(
        processor=_processor(),
        cores=len(os.sched_getaffinity(0)),
        memory_gib=round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        system=f"{platform.system()} {platform.release()}",
        python=platform.python_version(),
        load_before=round(os.getloadavg()[0], 2),
    )


def commit() -> str:
    """The commit of the working tree, marked when files differ from it; `none` outside of a repository."""
    head = _git("rev-parse", "--short=12", "HEAD")
    if not head:
        return "none"
    return f"{head} and uncommitted changes" if _git("status", "--porcelain", "--", ".", ":!benchmarks") else head


def _git(*arguments: str) -> str:
    try:
        answer = subprocess.run(("git", *arguments), cwd=PROJECT_ROOT, capture_output=True, text=True, check=False)
    except OSError:
        return ""
    return answer.stdout.strip() if answer.returncode == 0 else ""


def _processor() -> str:
    facts: dict[str, str] = {}
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            name, _, value = line.partition(":")
            facts.setdefault(name.strip(), value.strip())
    except OSError:
        return platform.processor() or platform.machine()
    flags = facts.get("flags", "").split()
    vector = next((name for name in ("amx_tile", "avx512f", "avx2") if name in flags), "no AVX2")
    return f"{facts.get('model name', platform.machine())} (model {facts.get('model', '?')}, {vector})"
