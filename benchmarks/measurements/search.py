"""/v1/search over 60,000 vectors in two shards, beside the same graphs without a service around them."""

import os
from pathlib import Path

from benchmarks import bare_faiss, corpus, wrk
from benchmarks.bare_faiss import FaissFigures
from benchmarks.client import Client
from benchmarks.corpus import SearchSet
from benchmarks.errors import BenchmarkError
from benchmarks.exact import Truth, truth_of
from benchmarks.loaded_index import TOP_K, Loading, load, recall, search_bodies, settle
from benchmarks.own_instance import OwnInstance, own_directory, own_instance
from benchmarks.points import Point, measure_point
from benchmarks.report import Figure, Goal

PATH = "/v1/search"
CROWD = 64
_SHARDS = 2
_FAISS_SECONDS = 5.0
_LEAST_RECALL = 0.97
_P50 = Goal(10, at_least=False)
_P99 = Goal(25, at_least=False)
_RATE = Goal(400, at_least=True)


def measure() -> list[Figure]:
    wrk.require_wrk()
    data = corpus.search_set()
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
        lean = wrk.write_bodies(folder / "lean.jsonl", search_bodies(data, include=[]))
        whole = wrk.write_bodies(folder / "whole.jsonl", search_bodies(data))
        with own_instance(folder, environ=environ()) as instance:
            figures = _loading_figures(load(instance, data))
            figures.append(_recall_figure(instance, data, truth))
            alone = measure_point(instance, PATH, lean, connections=1)
            crowd = measure_point(instance, PATH, lean, connections=CROWD)
            figures += [*_figures(alone, crowd, "no metadata, 1 api"), *_ratios(alone, crowd, bare)]
            figures += _pair(instance, whole, "metadata, 1 api")
        with own_instance(folder, api_processes=2, environ=environ()) as instance:
            settle(instance, len(data.documents))
            figures += _pair(instance, lean, "no metadata, 2 api")
    return [*figures, *_bare_figures(bare)]


def environ() -> dict[str, str]:
    """The topology; everything else is left at its default."""
    return {"SHARDS": str(_SHARDS), "REPLICAS": "1"}


def _recall_figure(instance: OwnInstance, data: SearchSet, truth: Truth) -> Figure:
    client = Client(instance.url)
    found = recall(client, data, truth, search_bodies(data, include=[]))
    client.close()
    if found < _LEAST_RECALL:
        raise BenchmarkError(f"recall@{TOP_K} is {found:.4f}: the speed of wrong answers is not measured")
    goal = Goal(_LEAST_RECALL, at_least=True)
    return Figure(f"recall@{TOP_K} by HTTP", found, "", goal, f"{len(data.queries)} held-out queries, exact NumPy")


def _pair(instance: OwnInstance, bodies: Path, label: str) -> list[Figure]:
    alone = measure_point(instance, PATH, bodies, connections=1)
    crowd = measure_point(instance, PATH, bodies, connections=CROWD)
    return _figures(alone, crowd, label)


def _figures(alone: Point, crowd: Point, label: str) -> list[Figure]:
    return [
        Figure(f"{label}, 1 client, p50", alone.load.p50_ms, "ms", _P50, alone.note),
        Figure(f"{label}, 1 client, p99", alone.load.p99_ms, "ms", _P99),
        Figure(f"{label}, 1 client", alone.load.rate, "searches/s"),
        Figure(f"{label}, {CROWD} clients", crowd.load.rate, "searches/s", _RATE, crowd.note),
        Figure(f"{label}, {CROWD} clients, p50", crowd.load.p50_ms, "ms"),
        Figure(f"{label}, {CROWD} clients, p99", crowd.load.p99_ms, "ms"),
    ]


def _ratios(alone: Point, crowd: Point, bare: FaissFigures) -> list[Figure]:
    return [
        Figure("p50, HTTP / bare Faiss", alone.load.p50_ms / bare.latency.p50_ms, "x", note="no metadata, 1 api"),
        Figure("rate, bare Faiss / HTTP", bare.rate / crowd.load.rate, "x", note="no metadata, 1 api"),
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
        Figure(f"bare Faiss HNSW, recall@{TOP_K}", bare.recall, ""),
        Figure("bare Faiss HNSW, build", bare.build_rate, "vectors/s"),
    ]


def _loading_figures(loading: Loading) -> list[Figure]:
    def rate(seconds: float) -> float:
        return loading.documents / seconds

    sizes = "256 documents a request with vectors and metadata, 2 clients"
    return [
        Figure("vectors accepted", rate(loading.upload_seconds), "documents/s", note=sizes),
        Figure("vectors searchable", rate(loading.searchable_seconds), "documents/s", note="from the first request"),
        Figure("vectors in graphs", rate(loading.graph_seconds), "documents/s", note="from the first request"),
    ]
