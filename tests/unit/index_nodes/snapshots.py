"""Snapshots of small indexes, for the tests of what writes and reads them."""

from pathlib import Path

from embedding_project.contracts.vector_storage import VectorStorage
from index_nodes.log_reader import Head, Log
from index_nodes.snapshot_load import Wanted
from index_nodes.snapshot_store import SnapshotStore
from index_nodes.snapshot_writer import SPARED_BYTES, SnapshotSource, write_snapshot
from index_nodes.version_index import VersionIndex
from tests.unit.index_nodes.builders import build_all, clustered_vectors, fill, state

EPOCH = "00000000-0000-0000-0000-000000000001"
LOG = Log(layout=1, version_key=7, shard=0)
DIMENSION = 8


def source(index: VersionIndex, store: SnapshotStore, seq: int) -> SnapshotSource:
    return SnapshotSource(log=LOG, epoch=EPOCH, seq=seq, index=index, store=store)


def write(index: VersionIndex, store: SnapshotStore, seq: int, spared_bytes: int = SPARED_BYTES) -> Path:
    return write_snapshot(source(index, store, seq), spared_bytes)


def wanted(
    seq: int, epoch: str = EPOCH, dimension: int = DIMENSION, storage: VectorStorage = VectorStorage.FP32
) -> Wanted:
    """Of a log whose head is `seq`, so that nobody needs to be asked whether it continues."""
    return Wanted(url="", name="", log=LOG, epoch=epoch, head=Head(seq, dimension, storage))


def mixed_index(directory: Path, storage: VectorStorage = VectorStorage.FP32) -> VersionIndex:
    """Two namespaces, one with a graph and fresh rows, deletes, and metadata of every type."""
    index = VersionIndex(DIMENSION, directory, storage=storage)
    vectors = clustered_vectors(700, DIMENSION)
    values = [None, 1, 2.5, True, "text", ["a", 1, [2]], 10**30]
    fill(index, vectors[:600], [{"kind": values[key % 7], "author": {"name": f"n{key % 50}"}} for key in range(600)])
    build_all(index)
    index.apply([state(key, vectors[key], metadata={"kind": "late"}) for key in range(600, 650)], 0.0)
    index.apply([state(key, vectors[key], namespace_key=2) for key in range(650, 700)], 0.0)
    index.apply([state(key, None, revision=2) for key in range(0, 650, 10)], 0.0)
    return index
