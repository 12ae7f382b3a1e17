"""/v1/search by 8 clients while a bulk job adds as many documents again to what they search, until nodes have them."""

import time

from benchmarks import corpus
from benchmarks.bulk_rows import write_rows
from benchmarks.client import Client
from benchmarks.errors import BenchmarkError
from benchmarks.loaded_index import load_by_job, register, search_bodies, settle
from benchmarks.measurements.search import environ
from benchmarks.own_instance import OwnInstance, own_directory, own_instance
from benchmarks.report import Figure, Goal
from benchmarks.steady_searches import SteadySearches

SIZE = 60_000
"""Documents before the job; it adds as many."""
CLIENTS = 8
_QUERIES = 250
_QUIET_SECONDS = 20.0
_RATIO, _SLOWEST = Goal(2, at_least=False), Goal(500, at_least=False)
_FAILED, _ADOPTED = Goal(1, at_least=False), Goal(2, at_least=False)


def measure(size: int = SIZE) -> list[Figure]:
    vectors, queries = corpus.enlarged_set(2 * size, _QUERIES)
    with own_directory() as folder, own_instance(folder, environ=environ()) as instance:
        register(instance)
        load_by_job(instance, write_rows(folder / "known.parquet", vectors[:size], prefix="known"))
        settle(instance, size)
        more = write_rows(folder / "more.parquet", vectors[size:], prefix="more")
        bodies = search_bodies(queries, include=[])
        with SteadySearches(url=instance.url, bodies=bodies, clients=CLIENTS).running() as searches:
            before = time.monotonic()
            time.sleep(_QUIET_SECONDS)
            began = time.monotonic()
            load_by_job(instance, more)
            ended = time.monotonic()
        alone, beside = searches.latency(before, began), searches.latency(began, ended)
        adopted = _mean_adoption(instance)
    return [
        Figure("searches before the job, p50", alone.p50_ms, "ms", note=f"{CLIENTS} clients in Python"),
        Figure("searches before the job, p99", alone.p99_ms, "ms"),
        Figure("the job, until all can be searched", ended - began, "s", note=f"{size:,} documents more"),
        Figure("searches beside the job, p50", beside.p50_ms, "ms", note=f"{beside.count:,} searches"),
        Figure("searches beside the job, p99", beside.p99_ms, "ms"),
        Figure("beside the job / before it, p99", beside.p99_ms / alone.p99_ms, "x", _RATIO),
        Figure("the slowest search beside the job", searches.slowest_ms(began, ended), "ms", _SLOWEST),
        Figure("searches that failed, or lacked a shard", len(searches.failures), "searches", _FAILED),
        Figure("nodes take the documents over, mean", adopted, "s", _ADOPTED),
    ]


def _mean_adoption(instance: OwnInstance) -> float:
    client = Client(instance.url)
    lines = [line.rpartition(" ") for line in client.text("/metrics").splitlines() if "node_adoption_seconds" in line]
    client.close()
    sums = sum(float(value) for name, _, value in lines if name.startswith("node_adoption_seconds_sum"))
    counts = sum(float(value) for name, _, value in lines if name.startswith("node_adoption_seconds_count"))
    if not counts:
        raise BenchmarkError("nodes take over no graphs of a job with so few documents")
    return sums / counts
