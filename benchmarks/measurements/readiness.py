"""/readyz and /healthz while every core is busy with searches: a probe must not wait behind the work it asks about."""

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx

from benchmarks import corpus, wrk
from benchmarks.errors import BenchmarkError
from benchmarks.latency import Latency, summarize
from benchmarks.loaded_index import load, search_bodies
from benchmarks.measurements.search import CROWD, PATH, environ
from benchmarks.own_instance import OwnInstance, own_directory, own_instance
from benchmarks.report import Figure, Goal

_SECONDS = 20
_IDLE_SECONDS = 3.0
_PAUSE_SECONDS = 0.05
_GOAL = Goal(50, at_least=False)


def measure() -> list[Figure]:
    wrk.require_wrk()
    data = corpus.search_set()
    figures = []
    with own_directory() as folder:
        bodies = wrk.write_bodies(folder / "lean.jsonl", search_bodies(data.queries, include=[]))
        with own_instance(folder, environ=environ()) as instance:
            load(instance, data)
            for path in ("/readyz", "/healthz"):
                idle = _probe(instance, path, _IDLE_SECONDS)
                busy, rate = _under_load(instance, path, bodies)
                figures += [
                    Figure(f"{path}, idle, p50", idle.p50_ms, "ms"),
                    Figure(f"{path}, {CROWD} clients search, p50", busy.p50_ms, "ms", note=f"{rate:.0f} searches/s"),
                    Figure(f"{path}, {CROWD} clients search, p99", busy.p99_ms, "ms", _GOAL, f"{busy.count} probes"),
                ]
    return figures


def _under_load(instance: OwnInstance, path: str, bodies: Path) -> tuple[Latency, float]:
    """Times of the probes, and how many searches a second were answered beside them."""
    with ThreadPoolExecutor(1) as pool:
        searches = pool.submit(wrk.run, instance.url, PATH, bodies, connections=CROWD, seconds=_SECONDS)
        probes = _probe(instance, path, _SECONDS - 1.0)
        return probes, searches.result().rate


def _probe(instance: OwnInstance, path: str, seconds: float) -> Latency:
    """A probe every 50 ms, as a load balancer asks. Raises BenchmarkError when one is not 200."""
    times = []
    until = time.monotonic() + seconds
    with httpx.Client(base_url=instance.url) as client:
        while time.monotonic() < until:
            began = time.perf_counter()
            answer = client.get(path)
            times.append(1000 * (time.perf_counter() - began))
            if answer.status_code != 200:
                raise BenchmarkError(f"{path} answered {answer.status_code}: {answer.text[:300]}")
            time.sleep(_PAUSE_SECONDS)
    return summarize(times)
