"""What an index of many small namespaces costs a node while nobody writes or searches: in this process."""

import shutil
import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks.corpus import DIMENSION
from benchmarks.report import Figure, Goal
from embedding_project.contracts.vectors import Vector, unit_length
from index_nodes.build_lanes import LANES
from index_nodes.build_queue import BuildQueue
from index_nodes.collection import DocumentState
from index_nodes.version_index import VersionIndex

_NAMESPACES = 10_000
_DOCUMENTS = 10
_SETTLE_SECONDS = 2.0
_SECONDS = 20.0
_HEARTBEAT_SECONDS = 1.0
_WRITES = 1_000
_SHARE_OF_A_CORE = 1.0


def measure() -> list[Figure]:
    folder = Path(tempfile.mkdtemp(prefix="bench-namespaces-"))
    try:
        return _measure(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _measure(folder: Path) -> list[Figure]:
    index = VersionIndex(DIMENSION, folder / "v")
    _fill(index)
    queues = [BuildQueue("bench", lambda: [index], folder, lane) for lane in LANES]
    for builds in queues:
        builds.start()
    time.sleep(_SETTLE_SECONDS)
    idle = _idle_share(index)
    for builds in queues:
        builds.stop()
    note = f"{_NAMESPACES:,} namespaces x {_DOCUMENTS}, builds and heartbeats"
    return [
        Figure("idle node", 100 * idle, "% of a core", Goal(_SHARE_OF_A_CORE, at_least=False), note),
        Figure("one look for builds after a write", 1_000 * _look_seconds(index), "ms", note="of one document"),
        Figure("one heartbeat", 1_000 * _heartbeat_seconds(index), "ms", note="without Postgres"),
    ]


def _fill(index: VersionIndex) -> None:
    vectors = unit_length(np.random.default_rng(0).standard_normal((_DOCUMENTS, DIMENSION)).astype(np.float32))
    now = time.monotonic()
    for namespace_key in range(_NAMESPACES):
        index.apply([_state(namespace_key, row, vector, 1) for row, vector in enumerate(vectors)], now)


def _state(namespace_key: int, row: int, vector: Vector, revision: int) -> DocumentState:
    return DocumentState(
        document_key=namespace_key * _DOCUMENTS + row, namespace_key=namespace_key, revision=revision,
        text_revision=revision, vector=vector, metadata={"row": row},
    )  # fmt: skip


def _idle_share(index: VersionIndex) -> float:
    """The share of a core that the build thread and heartbeats take."""
    began, used = time.monotonic(), time.process_time()
    while time.monotonic() - began < _SECONDS:
        _heartbeat(index)
        time.sleep(_HEARTBEAT_SECONDS)
    return (time.process_time() - used) / (time.monotonic() - began)


def _look_seconds(index: VersionIndex) -> float:
    vector = unit_length(np.ones((1, DIMENSION), np.float32))[0]
    spent = 0.0
    for turn in range(_WRITES):
        index.apply([_state(turn, 0, vector, 2)], time.monotonic())
        began = time.perf_counter()
        index.next_build(time.monotonic())
        spent += time.perf_counter() - began
    return spent / _WRITES


def _heartbeat_seconds(index: VersionIndex) -> float:
    began = time.perf_counter()
    for _ in range(_WRITES):
        _heartbeat(index)
    return (time.perf_counter() - began) / _WRITES


def _heartbeat(index: VersionIndex) -> None:
    """What a heartbeat asks of an index."""
    index.tally()
    index.segment_counts()
