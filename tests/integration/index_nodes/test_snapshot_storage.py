"""Snapshots of graphs of rounded vectors; and of another storage than the version has, which no node uses."""

import logging
from dataclasses import replace
from pathlib import Path

import pytest

from embedding_project.contracts.vector_storage import VectorStorage
from index_nodes.graph_storage import TRAINED_ROWS
from index_nodes.memory_budget import MemoryBudget
from index_nodes.snapshot_check import check_graphs
from index_nodes.snapshot_files import MANIFEST, SnapshotDamaged, encode, verified
from index_nodes.snapshot_load import load_newest
from index_nodes.snapshot_store import SnapshotStore
from index_nodes.version_index import VersionIndex
from tests.integration.index_nodes.test_snapshots import SPECS, hits, outcomes
from tests.unit.index_nodes.builders import build_all, clustered_vectors, fill, state
from tests.unit.index_nodes.snapshots import DIMENSION, mixed_index, wanted, write


@pytest.fixture
def store(tmp_path: Path) -> SnapshotStore:
    return SnapshotStore(tmp_path / "snapshots")


@pytest.fixture
def index(tmp_path: Path) -> VersionIndex:
    return mixed_index(tmp_path / "v")


@pytest.mark.parametrize("storage", [VectorStorage.FP16, VectorStorage.SQ8])
def test_graphs_of_rounded_vectors_are_read_back_too(
    store: SnapshotStore, tmp_path: Path, storage: VectorStorage
) -> None:
    index = mixed_index(tmp_path / "rounded", storage)
    if storage is VectorStorage.SQ8:
        fill(index, clustered_vectors(TRAINED_ROWS, DIMENSION, seed=4))
        index.apply([state(7, clustered_vectors(1, DIMENSION)[0], revision=5, text_revision=5)], 0.0)
        build_all(index)
    folder = write(index, store, 5)
    check_graphs(folder, verified(folder), lambda: False)
    again = VersionIndex(DIMENSION, tmp_path / "again", storage=storage)
    assert load_newest(store, wanted(5, storage=storage), again, MemoryBudget()) == 5
    assert (again.tally(), again.segment_counts()) == (index.tally(), index.segment_counts())
    for search in SPECS:
        assert hits(again, search) == hits(index, search)


def test_a_snapshot_of_another_storage_is_refused_in_words_and_removed(
    index: VersionIndex, store: SnapshotStore, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "index_nodes")
    folder = write(index, store, 5)
    again = VersionIndex(DIMENSION, tmp_path / "again", storage=VectorStorage.FP16)
    before = outcomes("outdated")
    assert load_newest(store, wanted(5, storage=VectorStorage.FP16), again, MemoryBudget()) is None
    assert "it holds vectors as fp32, and the version holds them as fp16" in caplog.text
    assert (outcomes("outdated"), folder.exists(), again.tally()) == (before + 1, False, (0, 0, 0))


def test_a_graph_of_another_storage_than_its_manifest_says_is_refused(
    index: VersionIndex, store: SnapshotStore
) -> None:
    folder = write(index, store, 5)
    manifest = replace(verified(folder), storage="fp16")
    (folder / MANIFEST).write_bytes(encode(manifest))
    with pytest.raises(SnapshotDamaged, match="its vectors are not fp16"):
        check_graphs(folder, manifest, lambda: False)
