"""One measured point of an instance: a load, and which processes were busy under it."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmarks import wrk
from benchmarks.own_instance import OwnInstance
from benchmarks.process_cpu import OTHERS, CpuWatch, describe

SECONDS = 6
_WARM_UP_SECONDS = 1
_PAUSE_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Point:
    load: wrk.Load
    cores: Mapping[str, float]
    """Role -> cores it kept busy, and `others`."""

    @property
    def note(self) -> str:
        refused = f"; {self.load.refused} of {self.load.requests} refused" if self.load.refused else ""
        return f"cores: wrk {self.load.client_cores:.2f}, {describe(self.cores)}{refused}"

    @property
    def cpu_ms(self) -> dict[str, float]:
        """Role -> processor milliseconds for each request."""
        milliseconds = 1000 * self.load.seconds / self.load.requests
        return {role: share * milliseconds for role, share in self.cores.items() if role != OTHERS}


def measure_point(
    instance: OwnInstance, path: str, bodies: Path, *, connections: int, seconds: int = SECONDS, warm_up: bool = True
) -> Point:
    """Raises BenchmarkError when requests were lost; refused ones are counted."""
    if warm_up:
        wrk.run(instance.url, path, bodies, connections=connections, seconds=_WARM_UP_SECONDS)
        # The requests it left behind still hold their places.
        time.sleep(_PAUSE_SECONDS)
    watch = CpuWatch(instance.var)
    load = wrk.run(instance.url, path, bodies, connections=connections, seconds=seconds)
    return Point(load, watch.stop())
