"""/v1/search by 8 clients over 60,000 vectors in one shard: idle, and beside exact searches without a pause.

The exact ones are heavy here by HEAVY_SEARCH_MS, as they are by default in a shard of 120,000 vectors.
"""

import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import httpx

from benchmarks import corpus, wrk
from benchmarks.errors import BenchmarkError
from benchmarks.loaded_index import load, search_bodies
from benchmarks.measurements.search import PATH
from benchmarks.own_instance import OwnInstance, own_directory, own_instance
from benchmarks.points import Point, measure_point
from benchmarks.report import Figure, Goal

CLIENTS = 8
_EXACT_CLIENTS = 4
_SECONDS = 15
_TIMEOUT_SECONDS = 10.0
_HEADERS = {"Content-Type": "application/json"}
_ENVIRON = {"SHARDS": "1", "REPLICAS": "1", "HEAVY_SEARCH_MS": "5"}
_RATIO = Goal(2, at_least=False)


def measure() -> list[Figure]:
    wrk.require_wrk()
    data = corpus.search_set()
    exact = search_bodies(data.queries, include=[], exact=True)
    with own_directory() as folder:
        bodies = wrk.write_bodies(folder / "lean.jsonl", search_bodies(data.queries, include=[]))
        with own_instance(folder, environ=_ENVIRON) as instance:
            load(instance, data)
            idle = _point(instance, bodies)
            began = time.monotonic()
            with _exact_searches(instance.url, exact) as answers:
                beside = _point(instance, bodies)
            seconds = time.monotonic() - began
    if set(answers) - {200, 429}:
        raise BenchmarkError(f"exact searches were answered {dict(answers)}")
    return [
        *_figures(idle, "idle"),
        *_figures(beside, "beside exact searches"),
        Figure("p50, beside exact searches / idle", beside.load.p50_ms / idle.load.p50_ms, "x"),
        Figure("p99, beside exact searches / idle", beside.load.p99_ms / idle.load.p99_ms, "x", _RATIO),
        Figure("exact searches", answers[200] / seconds, "searches/s", note=f"{answers[429]} refused"),
    ]


@contextmanager
def _exact_searches(url: str, bodies: Sequence[bytes]) -> Iterator[Counter[int]]:
    """Clients that search exactly without a pause during the block; status -> answers."""
    answers, ending = Counter[int](), threading.Event()

    def search(first: int) -> None:
        with httpx.Client(base_url=url, timeout=_TIMEOUT_SECONDS, headers=_HEADERS) as client:
            place = first
            while not ending.is_set():
                answer = client.post(PATH, content=bodies[place % len(bodies)])
                answers[answer.status_code] += 1
                place += _EXACT_CLIENTS
                if answer.status_code == 429:
                    ending.wait(float(answer.headers["Retry-After"]))

    threads = [threading.Thread(target=search, args=(first,)) for first in range(_EXACT_CLIENTS)]
    for thread in threads:
        thread.start()
    try:
        yield answers
    finally:
        ending.set()
        for thread in threads:
            thread.join()


def _point(instance: OwnInstance, bodies: Path) -> Point:
    point = measure_point(instance, PATH, bodies, connections=CLIENTS, seconds=_SECONDS)
    if point.load.refused:
        raise BenchmarkError(f"{point.load.refused} searches were refused")
    return point


def _figures(point: Point, label: str) -> list[Figure]:
    return [
        Figure(f"{label}, {CLIENTS} clients, p50", point.load.p50_ms, "ms", note=point.note),
        Figure(f"{label}, {CLIENTS} clients, p99", point.load.p99_ms, "ms"),
        Figure(f"{label}, {CLIENTS} clients", point.load.rate, "searches/s"),
    ]
