"""/v1/search over vectors in two shards, beside the same graphs without a service around them.

60,000 vectors, or as many as asked for: goals for times hold for the first, those for ratios for both.
"""

import os
from pathlib import Path

from benchmarks import bare_faiss, corpus, wrk
from benchmarks.bare_faiss import FaissFigures
from benchmarks.client import Client
from benchmarks.corpus import BASE_VECTORS, SearchSet
from benchmarks.errors import BenchmarkError
from benchmarks.exact import Truth, truth_of
from benchmarks.loaded_index import TOP_K, Loading, batch_bodies, load, recall, row_of, search_bodies, settle
from benchmarks.own_instance import OwnInstance, own_directory, own_instance
from benchmarks.points import Point, measure_point
from benchmarks.report import Figure, Goal

PATH, BATCH_PATH = "/v1/search", "/v1/search/batch"
FEW, CROWD = 8, 64
_SHARDS = 2
_FAISS_SECONDS = 5.0
_LEAST_RECALL = 0.97
_P50, _P99 = Goal(2.8, at_least=False), Goal(6, at_least=False)
_FEW_RATE, _RATE = Goal(800, at_least=True), Goal(1_100, at_least=True)
_CROWD_P99 = Goal(120, at_least=False)
_CPU = Goal(1.5, at_least=False)
_SHARE, _LARGE_SHARE = Goal(0.36, at_least=True), Goal(0.45, at_least=True)
_BATCH_SHARE = Goal(0.6, at_least=True)
_BATCH_CLIENTS = 4
_BUILD_SHARE = Goal(0.85, at_least=True)


def measure(size: int = BASE_VECTORS) -> list[Figure]:
    wrk.require_wrk()
    data = corpus.search_set(size)
    # Goals for times are those of the size that everybody measures first.
    timed = size == BASE_VECTORS
    truth = truth_of(data.vectors, data.queries, TOP_K)
    bare = bare_faiss.measure(
        data.vectors,
        data.queries,
        truth,
        shards=_SHARDS,
        threads=os.cpu_count() or 1,
        top_k=TOP_K,
        seconds=_FAISS_SECONDS,
    )
    with own_directory() as folder:
        lean = wrk.write_bodies(folder / "lean.jsonl", search_bodies(data.queries, include=[]))
        batches = wrk.write_bodies(folder / "batches.jsonl", batch_bodies(data.queries, bare_faiss.BATCH, include=[]))
        whole = wrk.write_bodies(folder / "whole.jsonl", search_bodies(data.queries))
        with own_instance(folder, environ=environ()) as instance:
            loading = load(instance, data)
            figures = _loading_figures(loading, bare)
            figures.append(_recall_figure(instance, data, truth))
            points = _points(instance, lean)
            figures += _batch_figures(measure_point(instance, BATCH_PATH, batches, connections=_BATCH_CLIENTS), bare)
            figures += [*_figures(points, "no metadata, 1 api", timed=timed), *_ratios(points, bare, size)]
            figures += _figures(_points(instance, whole), "metadata, 1 api", timed=timed)
        with own_instance(folder, api_processes=2, environ=environ()) as instance:
            settle(instance, len(data.documents))
            figures += _figures(_points(instance, lean), "no metadata, 2 api", timed=timed)
    return [*figures, *_bare_figures(bare)]


def environ() -> dict[str, str]:
    """The topology; everything else is left at its default."""
    return {"SHARDS": str(_SHARDS), "REPLICAS": "1"}


def _recall_figure(instance: OwnInstance, data: SearchSet, truth: Truth) -> Figure:
    client = Client(instance.url)
    found = recall(client, row_of(data), truth, search_bodies(data.queries, include=[]))
    client.close()
    if found < _LEAST_RECALL:
        raise BenchmarkError(f"recall@{TOP_K} is {found:.4f}: the speed of wrong answers is not measured")
    goal = Goal(_LEAST_RECALL, at_least=True)
    return Figure(f"recall@{TOP_K} by HTTP", found, "", goal, f"{len(data.queries)} held-out queries, exact NumPy")


def _points(instance: OwnInstance, bodies: Path) -> dict[int, Point]:
    """Number of clients -> what was measured."""
    return {clients: measure_point(instance, PATH, bodies, connections=clients) for clients in (1, FEW, CROWD)}


def _figures(points: dict[int, Point], label: str, *, timed: bool) -> list[Figure]:
    alone, few, crowd = (points[clients].load for clients in (1, FEW, CROWD))

    def goal(of: Goal) -> Goal | None:
        return of if timed else None

    return [
        Figure(f"{label}, 1 client, p50", alone.p50_ms, "ms", goal(_P50), points[1].note),
        Figure(f"{label}, 1 client, p99", alone.p99_ms, "ms", goal(_P99)),
        Figure(f"{label}, 1 client", alone.rate, "searches/s"),
        Figure(f"{label}, {FEW} clients", few.rate, "searches/s", goal(_FEW_RATE), points[FEW].note),
        Figure(f"{label}, {FEW} clients, p99", few.p99_ms, "ms"),
        Figure(f"{label}, {CROWD} clients", crowd.rate, "searches/s", goal(_RATE), points[CROWD].note),
        Figure(f"{label}, {CROWD} clients, p50", crowd.p50_ms, "ms"),
        Figure(f"{label}, {CROWD} clients, p99", crowd.p99_ms, "ms", goal(_CROWD_P99)),
        Figure(f"{label}, {CROWD} clients, processor time", sum(points[CROWD].cpu_ms.values()), "ms/search", _CPU),
    ]


def _batch_figures(point: Point, bare: FaissFigures) -> list[Figure]:
    size, rate = bare_faiss.BATCH, bare_faiss.BATCH * point.load.rate
    label = f"batches of {size}, {_BATCH_CLIENTS} clients"
    return [
        Figure(label, rate, "searches/s", note=point.note),
        Figure(f"{label}, p50 of a batch", point.load.p50_ms, "ms"),
        Figure(f"{label}, HTTP / bare Faiss", rate / bare.batch_rate, "x", _BATCH_SHARE, "no metadata, 1 api"),
    ]


def _ratios(points: dict[int, Point], bare: FaissFigures, size: int) -> list[Figure]:
    note, goal = "no metadata, 1 api", _SHARE if size <= BASE_VECTORS else _LARGE_SHARE
    return [
        Figure("p50, HTTP / bare Faiss", points[1].load.p50_ms / bare.latency.p50_ms, "x", note=note),
        Figure(f"rate with {CROWD} clients, HTTP / bare Faiss", points[CROWD].load.rate / bare.rate, "x", goal, note),
    ]


def _bare_figures(bare: FaissFigures) -> list[Figure]:
    setting = (
        f"M={bare_faiss.LINKS} efC={bare_faiss.EF_CONSTRUCTION} ef={bare_faiss.EF_SEARCH}, "
        f"{_SHARDS} graphs merged, in process"
    )
    return [
        Figure("bare Faiss HNSW, p50", bare.latency.p50_ms, "ms", note=setting),
        Figure("bare Faiss HNSW, p99", bare.latency.p99_ms, "ms"),
        Figure("bare Faiss HNSW, a thread a core", bare.rate, "searches/s"),
        Figure(f"bare Faiss HNSW, batches of {bare_faiss.BATCH}", bare.batch_rate, "searches/s"),
        Figure(f"bare Faiss HNSW, recall@{TOP_K}", bare.recall, ""),
        Figure("bare Faiss HNSW, build", bare.build_rate, "vectors/s"),
    ]


def _loading_figures(loading: Loading, bare: FaissFigures) -> list[Figure]:
    def rate(seconds: float) -> float:
        return loading.documents / seconds

    sizes = "256 documents a request with vectors and metadata, 2 clients"
    return [
        Figure("vectors accepted", rate(loading.upload_seconds), "documents/s", note=sizes),
        Figure("vectors searchable", rate(loading.searchable_seconds), "documents/s", note="from the first request"),
        Figure("vectors in graphs", rate(loading.graph_seconds), "documents/s", note="from the first request"),
        Figure(
            "vectors in graphs, service / bare Faiss", rate(loading.graph_seconds) / bare.build_rate, "x", _BUILD_SHARE
        ),
    ]
