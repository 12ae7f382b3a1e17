"""Load from `wrk`, one thread, with prepared bodies; its own processor time is part of the result.

wrk is a small C program, so that the client takes little of the machine it shares with what it measures.
"""

import json
import os
import shutil
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.errors import BenchmarkError

_SCRIPT = Path(__file__).with_name("bodies.lua")
_TIMEOUT_SECONDS = 30
_MISSING = "wrk is needed to make load; install it, for example with: apt-get install wrk"


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What one run of wrk saw."""

    connections: int
    requests: int
    seconds: float
    p50_ms: float
    p99_ms: float
    mean_ms: float
    max_ms: float
    refused: int
    """Answers with a status of 400 or more."""
    client_cores: float
    """Processor seconds that wrk itself used per second."""

    @property
    def rate(self) -> float:
        """Good answers per second."""
        return (self.requests - self.refused) / self.seconds


def require_wrk() -> None:
    """Raises BenchmarkError naming how to install it."""
    if shutil.which("wrk") is None:
        raise BenchmarkError(_MISSING)


def write_bodies(path: Path, bodies: Iterable[bytes]) -> Path:
    """The file of bodies that `run` posts in turn; JSON on one line each."""
    with path.open("wb") as file:
        for body in bodies:
            file.write(body + b"\n")
    return path


def run(url: str, path: str, bodies: Path, *, connections: int, seconds: int, key: str = "") -> Load:
    """Post the bodies to `url` + `path` from `connections` clients, which send `key` if there is one. Raises
    BenchmarkError when a connection failed."""
    command = (
        *("wrk", "--threads", "1", "--connections", str(connections), "--duration", f"{seconds}s"),
        *(
            "--timeout",
            f"{_TIMEOUT_SECONDS}s",
            "--script",
            str(_SCRIPT),
            url,
            "--",
            path,
            str(bodies),
            *([key] if key else []),
        ),
    )
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert process.stdout is not None
    output = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise BenchmarkError(f"wrk failed: {output.strip()}")
    found = json.loads(output.rstrip().rpartition("\n")[2])
    if found["requests"] == 0 or found["socket"] or found["timeout"]:
        raise BenchmarkError(f"wrk lost requests: {found}")
    elapsed = found["microseconds"] / 1e6
    return Load(
        connections=connections,
        requests=found["requests"],
        seconds=elapsed,
        p50_ms=found["p50"] / 1000,
        p99_ms=found["p99"] / 1000,
        mean_ms=found["mean"] / 1000,
        max_ms=found["max"] / 1000,
        refused=found["status"],
        client_cores=(usage.ru_utime + usage.ru_stime) / elapsed,
    )
