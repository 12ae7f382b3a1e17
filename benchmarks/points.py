"""One measured point of an instance: a load, and which processes were busy under it."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmarks import wrk
from benchmarks.own_instance import OwnInstance
from benchmarks.process_cpu import cores_between, cpu_seconds, describe

SECONDS = 8
_WARM_UP_SECONDS = 1


@dataclass(frozen=True, slots=True)
class Point:
    load: wrk.Load
    cores: Mapping[str, float]
    """Role -> cores it kept busy."""

    @property
    def note(self) -> str:
        refused = f"; {self.load.refused} of {self.load.requests} refused" if self.load.refused else ""
        return f"cores: wrk {self.load.client_cores:.2f}, {describe(self.cores)}{refused}"

    def cpu_ms(self, role_prefix: str = "") -> float:
        """Processor milliseconds for each request, of the roles whose names begin so."""
        busy = sum(share for role, share in self.cores.items() if role.startswith(role_prefix))
        return 1000 * busy * self.load.seconds / self.load.requests


def measure_point(
    instance: OwnInstance, path: str, bodies: Path, *, connections: int, seconds: int = SECONDS, warm_up: bool = True
) -> Point:
    """Raises BenchmarkError when requests were lost; refused ones are counted."""
    if warm_up:
        wrk.run(instance.url, path, bodies, connections=connections, seconds=_WARM_UP_SECONDS)
    before = cpu_seconds(instance.var)
    load = wrk.run(instance.url, path, bodies, connections=connections, seconds=seconds)
    return Point(load, cores_between(before, cpu_seconds(instance.var), load.seconds))
