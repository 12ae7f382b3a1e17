"""Memory of a node process that holds many vectors, for each way to hold them in graphs: loaded row by row, as from
Postgres, and from a snapshot. And what answers lose by rounded vectors."""

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.corpus import DIMENSION, Matrix, enlarged_set
from benchmarks.errors import BenchmarkError
from benchmarks.node_memory_process import EF_SEARCH, TOP_K
from benchmarks.report import Figure, Goal
from embedding_project.contracts.hits import SCORE_DIGITS, rounded_scores
from embedding_project.contracts.vector_storage import VectorStorage

_SIZE = 500_000
_QUERIES = 300
_GOALS: Mapping[VectorStorage, Goal] = {
    VectorStorage.FP32: Goal(1.2, at_least=False),
    VectorStorage.FP16: Goal(0.8, at_least=False),
}
"""GB, for `_SIZE` vectors."""
_RECALL = Goal(0.97, at_least=True)
_GB = 1e9
_AT_ONCE = 50


def measure(size: int = _SIZE) -> list[Figure]:
    folder = Path(tempfile.mkdtemp(prefix="bench-node-memory-"))
    try:
        _write(folder, *enlarged_set(size, _QUERIES))
        return [figure for storage in VectorStorage for figure in _figures(folder, storage, size)]
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _write(folder: Path, vectors: Matrix, queries: Matrix) -> None:
    np.save(folder / "vectors.npy", vectors)
    np.save(folder / "queries.npy", queries)
    # The score of the last of the true nearest: a hit that is as near is as good.
    least = []
    for start in range(0, len(queries), _AT_ONCE):
        scores = queries[start : start + _AT_ONCE] @ vectors.T
        nearest = np.argpartition(-scores, TOP_K, axis=1)[:, :TOP_K]
        for query, rows in zip(queries[start : start + _AT_ONCE].astype(np.float64), nearest, strict=True):
            last = rounded_scores(vectors[rows].astype(np.float64) @ query).min()
            least.append(round(float(last), SCORE_DIGITS))
    np.save(folder / "truth.npy", np.array(least))


def _figures(folder: Path, storage: VectorStorage, size: int) -> list[Figure]:
    rows, snapshot = _run("rows", folder, storage), _run("snapshot", folder, storage)
    goal = _GOALS.get(storage) if size == _SIZE else None
    vector = (snapshot["after"] - snapshot["before"]) / size
    links = f"{vector - storage.bytes_a_number * DIMENSION:.0f} of it beside the numbers; {size:,} x {DIMENSION}"
    return [
        Figure(f"{storage}: bytes a vector", vector, "B", note=links),
        Figure(f"{storage}: node loaded from a snapshot", snapshot["after"] / _GB, "GB", goal, _peak(snapshot)),
        Figure(f"{storage}: node loaded row by row", rows["after"] / _GB, "GB", goal, _peak(rows)),
        Figure(
            f"{storage}: until all rows are in graphs", rows["built"], "s", note=f"loaded in {rows['loaded']:.0f} s"
        ),
        Figure(f"{storage}: load from a snapshot", snapshot["seconds"], "s", note="checked first"),
        Figure(f"{storage}: size of a snapshot", rows["snapshot"] / _GB, "GB"),
        Figure(f"{storage}: recall@{TOP_K}", snapshot["recall"], "", _RECALL, f"ef {EF_SEARCH}, scored exactly"),
        Figure(f"{storage}: search", snapshot["search_ms"], "ms", note="processor time of a node, median"),
    ]


def _peak(found: Mapping[str, Any]) -> str:
    return f"{found['before'] / _GB:.2f} before, {found['peak'] / _GB:.2f} at its most"


def _run(mode: str, folder: Path, storage: VectorStorage) -> dict[str, Any]:
    command = (sys.executable, "-m", "benchmarks.node_memory_process", mode, str(folder), storage)
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    if answer.returncode:
        raise BenchmarkError(f"{storage}, {mode}: {answer.stderr.strip()[-500:]}")
    found: dict[str, Any] = json.loads(answer.stdout.splitlines()[-1])
    return found
