"""The floor: the same graphs in this process, without a service around them."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

import faiss
import numpy as np

from benchmarks.corpus import Matrix
from benchmarks.exact import Truth
from benchmarks.latency import Latency, time_each

LINKS = 16
EF_CONSTRUCTION = 200
EF_SEARCH = 100
BATCH = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class FaissFigures:
    latency: Latency
    rate: float
    """Searches per second with one thread a core."""
    batch_rate: float
    """The same for batches of `BATCH` queries."""
    recall: float
    build_rate: float
    """Vectors per second, all cores."""


class MergedShards:
    """HNSW graphs over equal parts of the vectors, searched one after another and merged."""

    def __init__(self, vectors: Matrix, shards: int) -> None:
        self._shards = shards
        self._graphs = [self._build(vectors[shard::shards]) for shard in range(shards)]

    @staticmethod
    def _build(part: Matrix) -> faiss.IndexHNSWFlat:
        graph = faiss.IndexHNSWFlat(part.shape[1], LINKS, faiss.METRIC_INNER_PRODUCT)
        graph.hnsw.efConstruction = EF_CONSTRUCTION
        graph.add(np.ascontiguousarray(part))
        graph.hnsw.efSearch = EF_SEARCH
        return graph

    def search_batch(self, queries: Matrix, top_k: int) -> None:
        """The best rows of each query; only the time matters."""
        found = [graph.search(queries, top_k) for graph in self._graphs]
        scores = np.concatenate([scores for scores, _ in found], axis=1)
        np.argsort(-scores, axis=1)[:, :top_k]

    def search(self, query: Matrix, top_k: int) -> list[int]:
        """Rows of the whole, best first."""
        hits = []
        for shard, graph in enumerate(self._graphs):
            scores, rows = graph.search(query[None], top_k)
            hits += [(score, int(row) * self._shards + shard) for score, row in zip(scores[0], rows[0], strict=True)]
        return [row for _, row in sorted(hits, reverse=True)[:top_k]]


def measure(
    vectors: Matrix, queries: Matrix, truth: Truth, *, shards: int, threads: int, top_k: int, seconds: float
) -> FaissFigures:
    began = time.perf_counter()
    index = MergedShards(vectors, shards)
    build_rate = len(vectors) / (time.perf_counter() - began)
    recall = truth.recall([index.search(query, top_k) for query in queries], top_k)
    faiss.omp_set_num_threads(1)
    latency = time_each(lambda query: index.search(query, top_k), queries)
    return FaissFigures(
        latency=latency,
        rate=_rate(lambda start: _one(index, queries, start, top_k), threads, seconds),
        batch_rate=BATCH * _rate(lambda start: _batch(index, queries, start, top_k), threads, seconds),
        recall=recall,
        build_rate=build_rate,
    )


def _one(index: MergedShards, queries: Matrix, turn: int, top_k: int) -> None:
    index.search(queries[turn % len(queries)], top_k)


def _batch(index: MergedShards, queries: Matrix, turn: int, top_k: int) -> None:
    start = turn * BATCH % (len(queries) - BATCH)
    index.search_batch(queries[start : start + BATCH], top_k)


def _rate(search: Callable[[int], None], threads: int, seconds: float) -> float:
    """Searches per second; `search` is given the number of its turn."""
    counts = [0] * threads
    deadline = time.perf_counter() + seconds

    def work(own: int) -> None:
        faiss.omp_set_num_threads(1)  # the setting belongs to the thread
        while time.perf_counter() < deadline:
            search(counts[own] * threads + own)
            counts[own] += 1

    workers = [threading.Thread(target=work, args=(own,)) for own in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return sum(counts) / seconds
