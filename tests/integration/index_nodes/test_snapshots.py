"""Snapshots hold what the index held, count only when whole, and cost nothing but themselves when they fail."""

import logging
import resource
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from embedding_project.contracts.filters import Condition, to_wire
from index_nodes.memory_budget import MemoryBudget
from index_nodes.metrics import SNAPSHOTS
from index_nodes.scan import SearchSpec
from index_nodes.snapshot_check import Abandoned, check_graphs
from index_nodes.snapshot_contents import is_graph
from index_nodes.snapshot_files import KnownFiles, SnapshotDamaged, link_or_copy, sha256_of, verified
from index_nodes.snapshot_load import load_newest, restore
from index_nodes.snapshot_store import SnapshotStore, StoreClosed, remove_other_stores
from index_nodes.snapshot_writer import SnapshotWriter
from index_nodes.version_index import VersionIndex
from tests.unit.index_nodes.builders import build_all, clustered_vectors, fill, spec, state
from tests.unit.index_nodes.snapshots import DIMENSION, mixed_index, source, wanted, write

QUERIES = clustered_vectors(5, DIMENSION, seed=1)
SPECS = (
    spec(20),
    spec(20, exact=True),
    spec(20, exact=True, filter=to_wire(Condition("kind", "eq", 1))),
    spec(20, filter=to_wire(Condition("author.name", "eq", "n3"))),
    spec(20, filter=to_wire(Condition("kind", "contains", "a"))),
    spec(20, filter=to_wire(Condition("kind", "gt", 2))),
)


@pytest.fixture
def store(tmp_path: Path) -> SnapshotStore:
    return SnapshotStore(tmp_path / "snapshots")


@pytest.fixture
def index(tmp_path: Path) -> VersionIndex:
    return mixed_index(tmp_path / "v")


def reloaded(folder: Path, directory: Path) -> VersionIndex:
    index = VersionIndex(DIMENSION, directory)
    restore(folder, verified(folder), index)
    return index


def hits(index: VersionIndex, search: SearchSpec) -> list[tuple[list[int], list[int], list[float]]]:
    return [
        (found.document_keys.tolist(), found.text_revisions.tolist(), found.scores.tolist())
        for namespace_key in (1, 2, 3)
        for found in index.search(namespace_key, QUERIES, search)
    ]


def outcomes(outcome: str) -> float:
    value: float = SNAPSHOTS.labels(outcome)._value.get()
    return value


def test_an_index_read_back_answers_as_the_one_written(
    index: VersionIndex, store: SnapshotStore, tmp_path: Path
) -> None:
    again = reloaded(write(index, store, 5), tmp_path / "again")
    assert again.tally() == index.tally()
    assert again.segment_counts() == index.segment_counts()
    for search in SPECS:
        assert hits(again, search) == hits(index, search)
    assert any(keys for keys, _, _ in hits(index, SPECS[-1]))


def test_an_index_read_back_goes_on_like_the_one_written(
    index: VersionIndex, store: SnapshotStore, tmp_path: Path
) -> None:
    again = reloaded(write(index, store, 5), tmp_path / "again")
    vectors = clustered_vectors(900, DIMENSION, seed=2)
    for followed in (index, again):
        before = followed.tally()
        followed.apply([state(0, vectors[0])], 0.0)
        assert followed.tally() == before, "the tombstone holds an older state back"
        fill(followed, vectors)
        followed.apply([state(key, vectors[key], revision=3, text_revision=3) for key in range(500, 900)], 0.0)
        build_all(followed)
    assert again.tally() == index.tally()
    assert hits(again, spec(20, exact=True)) == hits(index, spec(20, exact=True))


def test_builds_after_a_load_leave_the_snapshot_whole(
    index: VersionIndex, store: SnapshotStore, tmp_path: Path
) -> None:
    folder = write(index, store, 5)
    again = reloaded(folder, tmp_path / "again")
    again.apply([state(key, None, revision=9) for key in range(500)], 0.0)
    build_all(again)
    index.close()
    again.close()
    assert reloaded(folder, tmp_path / "once more").tally()[0] > 0


def test_an_empty_index_can_be_written(store: SnapshotStore, tmp_path: Path) -> None:
    folder = write(VersionIndex(DIMENSION, tmp_path / "v"), store, 0)
    assert reloaded(folder, tmp_path / "again").tally() == (0, 0, 0)


def test_the_newest_three_are_kept(index: VersionIndex, store: SnapshotStore) -> None:
    folders = [write(index, store, seq) for seq in (3, 10, 11, 200)]
    assert store.newest_first() == folders[:0:-1]
    assert not folders[0].exists()
    assert (store.oldest_seq, store.newest_seq) == (10, 200)
    assert store.newest_at == pytest.approx(folders[-1].stat().st_mtime, abs=60)
    assert SnapshotStore(folders[-1].parent).newest_first() == store.newest_first()


def test_one_that_was_not_finished_does_not_count_and_is_removed(index: VersionIndex, tmp_path: Path) -> None:
    left = tmp_path / "snapshots" / "tmp-0123"
    left.mkdir(parents=True)
    (left / "manifest.json").write_bytes(b"{}")
    assert SnapshotStore(tmp_path / "snapshots").newest_first() == []
    assert not left.exists()


def test_nothing_is_written_once_the_index_was_dropped(index: VersionIndex, store: SnapshotStore) -> None:
    store.close()
    with pytest.raises(StoreClosed):
        write(index, store, 5)
    assert SnapshotStore(store._folder).newest_first() == []
    assert list(store._folder.iterdir()) == []


def test_stores_of_other_logs_are_removed(index: VersionIndex, tmp_path: Path) -> None:
    kept, gone = SnapshotStore(tmp_path / "all" / "v1"), SnapshotStore(tmp_path / "all" / "v2")
    folders = [write(index, store, 5) for store in (kept, gone)]
    remove_other_stores(tmp_path / "all", {tmp_path / "all" / "v1"})
    assert [folder.exists() for folder in folders] == [True, False]


def test_it_is_written_when_it_is_due_and_has_changed(index: VersionIndex, store: SnapshotStore) -> None:
    seq = 5
    writer = SnapshotWriter("s0-r0", lambda: [source(index, store, seq)], seconds=100)
    writer.write_due(now := 1e9)
    early = store.newest_seq
    writer.write_due(now + 101)
    assert (early, store.newest_seq) == (None, 5)
    written = store.newest_first()
    writer.write_due(now + 1_000)
    assert store.newest_first() == written
    seq = 6
    writer.write_due(now + 2_000)
    assert store.newest_seq == 6
    fill(index, clustered_vectors(1_000, DIMENSION))
    writer.write_due(now + 3_000)
    assert len(store.newest_first()) == 2
    build_all(index)
    writer.write_due(now + 4_000)
    assert len(store.newest_first()) == 3


def test_searches_and_changes_go_on_while_it_is_written(
    index: VersionIndex, store: SnapshotStore, tmp_path: Path
) -> None:
    vectors = clustered_vectors(4_000, DIMENSION, seed=3)
    stopping = threading.Event()

    def change() -> None:
        key = 0
        while not stopping.is_set():
            key += 1
            index.apply([state(key % 4_000, vectors[key % 4_000], revision=key, text_revision=key)], 0.0)
            if key % 600 == 0:
                build_all(index)

    changing = threading.Thread(target=change)
    changing.start()
    try:
        for seq in range(1, 6):
            reloaded(write(index, store, seq), tmp_path / f"again-{seq}")
    finally:
        stopping.set()
        changing.join()


@contextmanager
def full_disk(room: int) -> Iterator[None]:
    """No file of this process can grow beyond `room` bytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_full_disk_is_said_once_counted_and_survived(
    index: VersionIndex, store: SnapshotStore, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "index_nodes")
    writer = SnapshotWriter("s0-r0", lambda: [source(index, store, 5)], seconds=0.001)
    writer.write_due(now := 1e9)
    failed, written = outcomes("failed"), outcomes("written")
    with full_disk(4_096):
        writer.write_due(now + 1)
        writer.write_due(now + 2)
    assert outcomes("failed") == failed + 2
    assert list(store._folder.iterdir()) == []
    writer.write_due(now + 3)
    assert outcomes("written") == written + 1
    own = [record.message for record in caplog.records if record.name.startswith("index_nodes")]
    assert [message.split(":")[0] for message in own] == [
        "no snapshots of version 7 for now", "snapshots of version 7 are written again"
    ]  # fmt: skip


def test_it_leaves_room_on_the_disk(index: VersionIndex, store: SnapshotStore) -> None:
    with pytest.raises(OSError, match="No space left"):
        write(index, store, 5, spared_bytes=2**60)
    assert list(store._folder.iterdir()) == []


def test_a_snapshot_of_another_log_is_removed_and_the_next_one_taken(
    index: VersionIndex, store: SnapshotStore, tmp_path: Path
) -> None:
    write(index, store, 5)
    write(index, store, 9)
    again = VersionIndex(DIMENSION, tmp_path / "again")
    assert load_newest(store, wanted(5), again, MemoryBudget()) == 5
    assert again.tally() == index.tally()
    assert store.newest_seq == 5
    for other in (wanted(5, epoch="another"), wanted(5, dimension=16)):
        write(index, store, 5)
        assert load_newest(store, other, VersionIndex(DIMENSION, tmp_path / f"{id(other)}"), MemoryBudget()) is None
        assert store.newest_first() == []


def test_a_load_that_nobody_needs_any_more_ends_and_blames_nobody(
    index: VersionIndex, store: SnapshotStore, tmp_path: Path
) -> None:
    folder = write(index, store, 5)
    again = VersionIndex(DIMENSION, tmp_path / "again")
    again.close()
    with pytest.raises(Abandoned):
        load_newest(store, wanted(5), again, MemoryBudget())
    assert store.newest_first() == [folder]


def graph_of(folder: Path) -> Path:
    return next(folder.glob("*.faiss"))


def test_the_child_accepts_what_a_node_has_written(index: VersionIndex, store: SnapshotStore) -> None:
    folder = write(index, store, 5)
    check_graphs(folder, verified(folder), lambda: False)


@pytest.mark.parametrize("damage", ["cut", "zeroed", "link", "another", "nothing"])
def test_the_child_refuses_what_no_node_has_written(index: VersionIndex, store: SnapshotStore, damage: str) -> None:
    folder = write(index, store, 5)
    manifest = verified(folder)
    graph = graph_of(folder)
    data = bytearray(graph.read_bytes())
    middle = len(data) // 2
    if damage == "cut":
        data = data[:middle]
    elif damage == "zeroed":
        data[-40_000:] = bytes(40_000)
    elif damage == "link":
        links = np.frombuffer(data, np.int32, count=1_000, offset=_first_link(data))
        links[::2] = 10**6
    elif damage == "another":
        data = bytearray(b"IxFI" + data[4:])
    else:
        data = bytearray()
    graph.write_bytes(data)
    with pytest.raises(SnapshotDamaged, match="Faiss refused its graphs"):
        check_graphs(folder, manifest, lambda: False)


def _first_link(data: bytearray) -> int:
    """Where a run of row numbers and -1 begins: in the middle of what lies before the vectors."""
    return (len(data) - 4 * DIMENSION * 600) // 2 // 4 * 4


def test_the_child_ends_when_nobody_needs_it(index: VersionIndex, store: SnapshotStore) -> None:
    folder = write(index, store, 5)
    with pytest.raises(Abandoned):
        check_graphs(folder, verified(folder), lambda: True)


def test_a_file_is_copied_where_it_cannot_be_linked(tmp_path: Path) -> None:
    def no_links(*_: object, **__: object) -> None:
        raise PermissionError

    (tmp_path / "graph").write_bytes(b"content")
    link_or_copy(tmp_path / "graph", tmp_path / "linked")
    link_or_copy(tmp_path / "graph", tmp_path / "copied", no_links)
    assert (tmp_path / "linked").samefile(tmp_path / "graph")
    assert not (tmp_path / "copied").samefile(tmp_path / "graph")
    assert (tmp_path / "copied").read_bytes() == b"content"


class CountedFiles(KnownFiles):
    """Remembers which files were read."""

    def __init__(self) -> None:
        super().__init__(self._count)
        self.read: list[str] = []

    def _count(self, path: Path) -> str:
        self.read.append(path.name)
        return sha256_of(path)


def graphs_read(known: CountedFiles) -> int:
    count = sum(is_graph(name) for name in known.read)
    known.read.clear()
    return count


def test_a_graph_that_has_not_changed_is_not_read_for_the_next_snapshot(index: VersionIndex, tmp_path: Path) -> None:
    known = CountedFiles()
    store = SnapshotStore(tmp_path / "snapshots", known)
    write(index, store, seq=1)
    assert len(known.read) > graphs_read(known) == 1
    index.apply([state(7_000, clustered_vectors(1, DIMENSION)[0])], 0.0)
    write(index, store, seq=2)
    assert "vectors.npy" in known.read
    assert graphs_read(known) == 0


def test_a_start_reads_every_file(index: VersionIndex, store: SnapshotStore, tmp_path: Path) -> None:
    folder = write(index, store, seq=1)
    known = CountedFiles()
    again = VersionIndex(DIMENSION, tmp_path / "again")
    assert load_newest(SnapshotStore(folder.parent, known), wanted(1), again, MemoryBudget()) == 1
    assert len(known.read) == len(list(folder.iterdir())) - 1


def test_a_graph_whose_file_was_changed_is_read_again(index: VersionIndex, tmp_path: Path) -> None:
    store = SnapshotStore(tmp_path / "snapshots", CountedFiles())
    folder = write(index, store, seq=1)
    graph = next(folder.glob("*.faiss"))
    content = bytearray(graph.read_bytes())
    content[100] ^= 1
    graph.write_bytes(content)
    with pytest.raises(SnapshotDamaged, match="was changed"):
        verified(folder, store.known)
