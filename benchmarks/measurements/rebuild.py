"""One of two replicas loses all it has: searches of clients while it loads again and until its graphs stand."""

import os
import shutil
import signal
import time

from benchmarks import corpus
from benchmarks.bulk_rows import write_rows
from benchmarks.errors import BenchmarkError
from benchmarks.loaded_index import load_by_job, register, search_bodies, settle
from benchmarks.own_instance import OwnInstance, own_directory, own_instance
from benchmarks.report import Figure, Goal
from benchmarks.steady_searches import SteadySearches
from supervisor.instance import load as load_instance

SIZE = 300_000
_REPLICAS, _CLIENTS, _QUERIES = 2, 2, 250
_NODE, _FOLDER = "node-s0-r0", "s0-r0"
_QUIET_SECONDS, _AFTER_SECONDS, _LIMIT_SECONDS = 20.0, 10.0, 600.0
_FAILED, _RATIO = Goal(1, at_least=False), Goal(3, at_least=False)


def measure(size: int = SIZE) -> list[Figure]:
    vectors, queries = corpus.enlarged_set(size, _QUERIES)
    environ = {"SHARDS": "1", "REPLICAS": str(_REPLICAS)}
    with own_directory() as folder, own_instance(folder, environ=environ) as instance:
        register(instance)
        load_by_job(instance, write_rows(folder / "rows.parquet", vectors))
        settle(instance, _REPLICAS * size)
        bodies = search_bodies(queries, include=[])
        with SteadySearches(url=instance.url, bodies=bodies, clients=_CLIENTS).running() as searches:
            before = time.monotonic()
            time.sleep(_QUIET_SECONDS)
            lost = time.monotonic()
            _lose_everything(instance)
            loaded = _wait_for(instance, "documents", size) - lost
            built = _wait_for(instance, "graph_documents", size) - lost
            time.sleep(_AFTER_SECONDS)
            ended = time.monotonic()
        alone, beside = searches.latency(before, lost), searches.latency(lost, ended)
    note = f"{_CLIENTS} clients, one search after the other"
    return [
        Figure("searches before it, p50", alone.p50_ms, "ms", note=note),
        Figure("searches before it, p99", alone.p99_ms, "ms"),
        Figure("until the replica has all documents again", loaded, "s", note=f"{size:,} x {corpus.DIMENSION}"),
        Figure("until all of them are in graphs", built, "s"),
        Figure("searches meanwhile, p50", beside.p50_ms, "ms", note=f"{beside.count:,} searches"),
        Figure("searches meanwhile, p99", beside.p99_ms, "ms"),
        Figure("meanwhile / before, p99", beside.p99_ms / alone.p99_ms, "x", _RATIO),
        Figure("failed or in part", len(searches.failures), "searches", _FAILED, ", ".join(searches.failures[:1])),
    ]


def _lose_everything(instance: OwnInstance) -> None:
    """Kill the node, without a file of its own left to start from."""
    running = load_instance(instance.var)
    if running is None:
        raise BenchmarkError("the instance does not run")
    os.kill(running.processes[_NODE], signal.SIGKILL)
    shutil.rmtree(instance.var / "nodes" / _FOLDER)
    # Its last report would still say what it had.
    instance.query("UPDATE shard_replica SET documents = 0, graph_documents = 0 WHERE replica = 0 RETURNING 1")


def _wait_for(instance: OwnInstance, column: str, size: int) -> float:
    """When the replica reports so many, by the monotonic clock. Raises BenchmarkError."""
    deadline = time.monotonic() + _LIMIT_SECONDS
    while True:
        ((found,),) = instance.query(f"SELECT coalesce(sum({column}), 0)::bigint FROM shard_replica WHERE replica = 0")
        if found == size:
            return time.monotonic()
        if time.monotonic() > deadline:
            raise BenchmarkError(f"{column} of the replica: {found:,}, expected {size:,}")
        time.sleep(0.25)
