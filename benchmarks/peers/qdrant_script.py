"""Run by the Python of the peer's own environment: `qdrant_script.py FOLDER`, whose arrays the benchmark wrote.

Builds a shard of Qdrant's engine in process, and writes what the queries found and how long they took. Nothing of the
project is imported here, since that environment has Qdrant Edge and NumPy only.
"""

import json
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from qdrant_edge import (
    Distance,
    EdgeConfig,
    EdgeOptimizersConfig,
    EdgeShard,
    EdgeVectorParams,
    HnswIndexConfig,
    Point,
    Query,
    SearchParams,
    SearchRequest,
    UpdateOperation,
)

_BATCH = 1_000
_ALWAYS_A_GRAPH_KB = 1


def main(folder: Path) -> None:
    asked = json.loads((folder / "asked.json").read_text(encoding="utf-8"))
    vectors, queries = np.load(folder / "vectors.npy"), np.load(folder / "queries.npy").tolist()
    began = time.perf_counter()
    shard = _filled_shard(folder / "shard", vectors, asked)
    build_seconds = time.perf_counter() - began

    def search(query: list[float]) -> list[int]:
        request = SearchRequest(
            query=Query.Nearest(query), limit=asked["top_k"], params=SearchParams(hnsw_ef=asked["ef_search"])
        )
        return [int(point.id) for point in shard.search(request)]

    found = [search(query) for query in queries]
    alone = _times(search, queries, threads=1, seconds=asked["seconds"])
    crowd = _times(search, queries, threads=asked["crowd"], seconds=asked["seconds"])
    result = {"found": found, "alone": alone, "crowd": crowd, "build_seconds": build_seconds}
    (folder / "result.json").write_text(json.dumps(result), encoding="utf-8")


def _filled_shard(path: Path, vectors: np.ndarray, asked: dict[str, int]) -> EdgeShard:
    path.mkdir()
    graph = HnswIndexConfig(asked["links"], asked["ef_construction"], _ALWAYS_A_GRAPH_KB)
    config = EdgeConfig(
        vectors=EdgeVectorParams(size=vectors.shape[1], distance=Distance.Cosine),
        hnsw_config=graph,
        optimizers=EdgeOptimizersConfig(default_segment_number=1, indexing_threshold=_ALWAYS_A_GRAPH_KB),
    )
    shard = EdgeShard.create(str(path), config)
    for start in range(0, len(vectors), _BATCH):
        batch = enumerate(vectors[start : start + _BATCH].tolist(), start)
        shard.update(UpdateOperation.upsert_points([Point(id=row, vector=vector) for row, vector in batch]))
    shard.optimize()
    return shard


def _times(
    search: Callable[[list[float]], list[int]], queries: list[list[float]], *, threads: int, seconds: float
) -> list[float]:
    """Milliseconds of each search that `threads` did at once."""
    until, times = time.perf_counter() + seconds, [list[float]() for _ in range(threads)]

    def work(number: int) -> None:
        at = number
        while (began := time.perf_counter()) < until:
            search(queries[at % len(queries)])
            times[number].append(1_000 * (time.perf_counter() - began))
            at += threads

    workers = [threading.Thread(target=work, args=(number,)) for number in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return [took for each in times for took in each]


if __name__ == "__main__":
    main(Path(sys.argv[1]))
