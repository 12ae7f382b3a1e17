"""/v1/search by 8 clients over 60,000 vectors in two shards: idle, and beside 500 upserts a second.

Half of the upserts go to the namespace that is searched, half to another one. They have vectors, so no embedder works.
"""

from pathlib import Path

from benchmarks import corpus, wrk
from benchmarks.errors import BenchmarkError
from benchmarks.loaded_index import MODEL_ID, NAMESPACE, load, search_bodies
from benchmarks.measurements.search import PATH, environ
from benchmarks.own_instance import OwnInstance, own_directory, own_instance
from benchmarks.points import Point, measure_point
from benchmarks.report import Figure, Goal
from benchmarks.steady_writes import SteadyWrites

CLIENTS = 8
_SECONDS = 20
_DOCUMENTS_PER_SECOND, _DOCUMENTS_PER_REQUEST = 500, 50
_OTHER_NAMESPACE = "bench-beside"
_LATEST_SECONDS = 1.0
_RATIO = Goal(2, at_least=False)


def measure() -> list[Figure]:
    wrk.require_wrk()
    data = corpus.search_set()
    with own_directory() as folder:
        bodies = wrk.write_bodies(folder / "lean.jsonl", search_bodies(data.queries, include=[]))
        with own_instance(folder, environ=environ()) as instance:
            load(instance, data)
            writes = SteadyWrites(
                url=instance.url,
                model_id=MODEL_ID,
                namespaces=(NAMESPACE, _OTHER_NAMESPACE),
                vectors=data.vectors,
                documents_per_second=_DOCUMENTS_PER_SECOND,
                documents_per_request=_DOCUMENTS_PER_REQUEST,
            )
            idle = _point(instance, bodies)
            with writes.running():
                beside = _point(instance, bodies)
    if writes.failures:
        raise BenchmarkError(f"{len(writes.failures)} upserts failed: {writes.failures[0]}")
    if max(writes.late) > _LATEST_SECONDS:
        raise BenchmarkError(f"an upsert left {max(writes.late):.1f} s late: the rate was not kept")
    figures = [*_figures(idle, "idle"), *_figures(beside, f"beside {_DOCUMENTS_PER_SECOND} upserts/s")]
    return [*figures, *_ratios(idle, beside)]


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


def _ratios(idle: Point, beside: Point) -> list[Figure]:
    return [
        Figure("p50, beside writes / idle", beside.load.p50_ms / idle.load.p50_ms, "x"),
        Figure("p99, beside writes / idle", beside.load.p99_ms / idle.load.p99_ms, "x", _RATIO),
    ]
