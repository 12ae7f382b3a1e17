"""Where p99 stays under 30 ms at 100 million vectors: measured times of one shard and of a fan-out, drawn together.

1. search graphs of several sizes, one thread, and fit the time against the logarithm of the size
2. send fan-outs to 1 to 64 stub shards over real queues: what the sender needs
3. draw searches over S shards and R replicas from both, with and without hedges
"""

import json
import subprocess
import sys
import time
from dataclasses import dataclass, replace

import faiss
import numpy as np

from benchmarks import corpus
from benchmarks.bare_faiss import EF_CONSTRUCTION, EF_SEARCH, LINKS
from benchmarks.corpus import DIMENSION, Matrix
from benchmarks.errors import BenchmarkError
from benchmarks.own_instance import OwnInstance, own_directory, own_instance
from benchmarks.report import Figure, Goal
from benchmarks.tail_model import Cluster, SizeFit, Times, fit_sizes, search_times
from embedding_project.config import PROJECT_ROOT, inherited_environment

SIZES = (7_500, 15_000, 30_000, 60_000)
VECTORS = 100_000_000
SHARDS = (8, 16, 32, 64)
REPLICAS = (2, 3)
_FANOUT_SHARDS = (1, 2, 4, 8, 16, 32, 64)
_RATES = (100.0, 300.0, 500.0)
"""Searches a second."""
_TOP_K = 10
_GOAL_MS = 30.0
_HEDGE_TIMES_P95, SOONEST_MS = 3.0, 40.0
"""As in `services.search.hedging`."""
_SEED = 7


@dataclass(frozen=True, slots=True)
class ShardTimes:
    """Of single searches in graphs, by size."""

    milliseconds: dict[int, Times]
    fit: SizeFit

    def at(self, vectors: float) -> Times:
        """The times of the largest graph that was measured, scaled to another size by the fit."""
        largest = max(self.milliseconds)
        return self.milliseconds[largest] * (self.fit.at(vectors) / self.fit.at(largest))


@dataclass(frozen=True, slots=True)
class FanOutTimes:
    """Processor milliseconds of what is not search."""

    sender: dict[int, Times]
    """By the number of shards: fan-outs of one query, from the message to the outcomes."""
    node: float
    """Of a node, for one message and its reply."""


def measure() -> list[Figure]:
    shard = _shard_times()
    with own_directory() as folder, own_instance(folder) as instance:
        fanouts = _fanouts(instance)
    return [*_measured(shard, fanouts), *_drawn(shard, fanouts)]


def _shard_times() -> ShardTimes:
    data = corpus.search_set()
    faiss.omp_set_num_threads(1)
    times = {size: _graph_times(data.vectors[:size], data.queries) for size in SIZES}
    means = [float(each.mean()) for each in times.values()]
    return ShardTimes(times, fit_sizes(list(times), means))


def _graph_times(vectors: Matrix, queries: Matrix) -> Times:
    graph = faiss.IndexHNSWFlat(DIMENSION, LINKS, faiss.METRIC_INNER_PRODUCT)
    graph.hnsw.efConstruction, graph.hnsw.efSearch = EF_CONSTRUCTION, EF_SEARCH
    graph.add(np.ascontiguousarray(vectors))
    times = []
    for query in queries:
        # Processor time: another process that has the core for a moment is no part of a search.
        began = time.thread_time()
        graph.search(query[None], _TOP_K)
        times.append(1_000 * (time.thread_time() - began))
    return np.asarray(times)


def _fanouts(instance: OwnInstance) -> FanOutTimes:
    command = (sys.executable, "-m", "benchmarks.fanout_load", *map(str, _FANOUT_SHARDS))
    environ = {
        **inherited_environment(),
        "VAR_DIR": str(instance.var),
        "DJANGO_SETTINGS_MODULE": "embedding_project.settings",
    }
    answer = subprocess.run(command, cwd=PROJECT_ROOT, env=environ, capture_output=True, text=True, check=False)
    if answer.returncode:
        raise BenchmarkError(f"the fan-outs failed: {answer.stderr.strip()[-500:]}")
    found = json.loads(answer.stdout)
    return FanOutTimes({int(shards): np.asarray(times) for shards, times in found["sender"].items()}, found["node"])


def _measured(shard: ShardTimes, fanouts: FanOutTimes) -> list[Figure]:
    sizes = [
        Figure(f"one graph of {size:,} vectors, mean", float(times.mean()), "ms", note="processor time, one thread")
        for size, times in shard.milliseconds.items()
    ]
    line = f"{shard.fit.intercept:.3f} + {shard.fit.slope:.4f} x log2(n), leaves {shard.fit.error:.3f} ms over"
    fitted = Figure(f"one graph of {VECTORS // 64:,} vectors, predicted", shard.fit.at(VECTORS / 64), "ms", note=line)
    node = Figure("a message on a node, without its search", fanouts.node, "ms", note="processor time, mean")
    senders = [
        Figure(f"a fan-out to {shards} shards, sender", float(np.median(times)), "ms", note="processor time, median")
        for shards, times in fanouts.sender.items()
    ]
    return [*sizes, fitted, node, *senders]


def _drawn(shard: ShardTimes, fanouts: FanOutTimes) -> list[Figure]:
    return [
        _p99(shard, fanouts, Cluster(shards=shards, replicas=replicas, rate=rate, hedge_after_ms=None))
        for shards in SHARDS
        for replicas in REPLICAS
        for rate in _RATES
    ]


def _p99(shard: ShardTimes, fanouts: FanOutTimes, plain: Cluster) -> Figure:
    service = shard.at(VECTORS / plain.shards) + fanouts.node
    sender = fanouts.sender[plain.shards]
    hedged = replace(plain, hedge_after_ms=max(_HEDGE_TIMES_P95 * float(np.percentile(service, 95)), SOONEST_MS))
    with_hedges, without = (
        float(np.percentile(search_times(service, sender, cluster, _SEED), 99)) for cluster in (hedged, plain)
    )
    load = plain.rate * float(service.mean()) / 1_000 / plain.replicas
    name = f"100M: {plain.shards} shards x {plain.replicas}, {plain.rate:.0f} searches/s, p99"
    note = f"a node is busy {load:.0%} of the time; without hedges {without:.1f} ms"
    return Figure(name, with_hedges, "ms", Goal(_GOAL_MS, at_least=False), note)
