"""A killed node with 100,000 vectors: how soon it answers again from its snapshot, and how soon from Postgres alone."""

import os
import shutil
import signal
import time
from pathlib import Path

import numpy as np

from benchmarks import corpus
from benchmarks.client import Client
from benchmarks.corpus import Document, SearchSet
from benchmarks.errors import BenchmarkError
from benchmarks.loaded_index import load, search_bodies, wait_until_in_graphs
from benchmarks.measurements.search import PATH
from benchmarks.own_instance import OwnInstance, own_directory, own_instance
from benchmarks.report import Figure, Goal
from supervisor.instance import load as load_instance

_SIZE = 100_000
_NOISE = 0.02
_NODE = "node-s0-r0"
_SNAPSHOT_SECONDS = 10
_LIMIT_SECONDS = 300.0
_EMPTY_ARRAY_BYTES = 1_024
"""More than the header of an npy file, less than one vector of 384 dimensions."""
_FROM_SNAPSHOT = Goal(5, at_least=False)
_FROM_POSTGRES = Goal(120, at_least=False)


def measure() -> list[Figure]:
    data = _data()
    environ = {"SHARDS": "1", "REPLICAS": "1", "SNAPSHOT_SECONDS": str(_SNAPSHOT_SECONDS)}
    with own_directory() as folder, own_instance(folder, environ=environ) as instance:
        load(instance, data)
        body = search_bodies(data.queries)[0]
        figures = _snapshot_figures(instance)
        figures.append(
            Figure("restart from a snapshot until a search is answered", _restart(instance, body), "s", _FROM_SNAPSHOT)
        )
        _require_loads(instance, snapshot=1)
        # The node believes its snapshots to be there, and so writes none until its log moves.
        shutil.rmtree(_snapshots(instance))
        began = time.monotonic()
        answered = _restart(instance, body)
        wait_until_in_graphs(instance, _SIZE)
        graphs = time.monotonic() - began
        figures.append(Figure("rebuild from Postgres until a search is answered", answered, "s", _FROM_POSTGRES))
        figures.append(Figure("rebuild from Postgres until all is in graphs", graphs, "s", _FROM_POSTGRES))
        return figures


def _data() -> SearchSet:
    """The collection, and as many of its vectors again, moved a little, as are missing."""
    base = corpus.search_set(min(_SIZE, corpus.BASE_VECTORS))
    known = len(base.documents)
    picked = np.arange(_SIZE - known) % known
    random = np.random.default_rng(1)
    noise = _NOISE * random.standard_normal((len(picked), corpus.DIMENSION), dtype=np.float32)
    vectors = np.concatenate([base.vectors, base.vectors[picked] + noise])
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    more = tuple(Document(f"more-{row}", "", base.documents[row].metadata) for row in picked.tolist())
    return SearchSet(documents=(*base.documents, *more), vectors=vectors, queries=base.queries)


def _snapshot_figures(instance: OwnInstance) -> list[Figure]:
    """Waits for a snapshot that has all graphs, and says what it cost."""
    deadline = time.monotonic() + _LIMIT_SECONDS
    while not (newest := _complete_snapshot(instance)):
        if time.monotonic() > deadline:
            raise BenchmarkError("no snapshot with all graphs was written in time")
        time.sleep(0.2)
    sizes = {path.name: path.stat().st_size for path in newest.iterdir()}
    graphs = sum(size for name, size in sizes.items() if name.endswith(".faiss"))
    total, seconds = sum(sizes.values()) / 2**20, _metric(instance, "node_snapshot_seconds_sum")
    count = _metric(instance, "node_snapshot_seconds_count")
    return [
        Figure("size of a snapshot", total, "MiB", note=f"{graphs / 2**20:.0f} of it linked graphs, {_SIZE:,} x 384"),
        Figure("writing a snapshot, mean", seconds / count, "s", note=f"{count:.0f} snapshots, most while loading"),
    ]


def _complete_snapshot(instance: OwnInstance) -> Path | None:
    """The snapshot that the node reports as its newest, when it has every change, and every vector in a graph."""
    ((applied, written_ms),) = instance.query(
        """
        SELECT applied_seq, coalesce(1000 * extract(epoch FROM snapshot_at), 0)::bigint
        FROM shard_replica WHERE documents > 0
        """
    )
    found = next(_snapshots(instance).glob(f"*/{applied:020d}-{written_ms:014d}"), None)
    return found if found and (found / "vectors.npy").stat().st_size < _EMPTY_ARRAY_BYTES else None


def _snapshots(instance: OwnInstance) -> Path:
    return instance.var / "nodes" / "s0-r0" / "snapshots"


def _restart(instance: OwnInstance, body: bytes) -> float:
    """Seconds from the death of the node to the first whole answer, the supervisor's restart included."""
    running = load_instance(instance.var)
    if running is None:
        raise BenchmarkError("the instance does not run")
    client = Client(instance.url)
    began = time.monotonic()
    os.kill(running.processes[_NODE], signal.SIGKILL)
    while not _answered(client, body):
        if time.monotonic() - began > _LIMIT_SECONDS:
            raise BenchmarkError("the node does not answer again")
    client.close()
    return time.monotonic() - began


def _answered(client: Client, body: bytes) -> bool:
    """Without its only shard, a search is refused after two seconds."""
    try:
        return not client.post(PATH, body)["partial"]
    except BenchmarkError:
        return False


def _require_loads(instance: OwnInstance, snapshot: float) -> None:
    if _metric(instance, 'node_load_seconds_count{source="snapshot"}') < snapshot:
        raise BenchmarkError("the node did not start from its snapshot")


def _metric(instance: OwnInstance, name: str) -> float:
    client = Client(instance.url)
    text = client.text("/metrics")
    client.close()
    return sum(float(line.split()[-1]) for line in text.splitlines() if line.startswith(f"{name} "))
