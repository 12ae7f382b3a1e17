"""A thousand damaged snapshots, every one refused before Faiss sees a byte; and what the loader does instead."""

import hashlib
import json
import os
import random
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from index_nodes.memory_budget import MemoryBudget
from index_nodes.metrics import SNAPSHOTS
from index_nodes.snapshot_files import FORMAT, MANIFEST, SnapshotDamaged, decode, verified
from index_nodes.snapshot_load import load_newest, restore
from index_nodes.snapshot_store import SnapshotStore
from index_nodes.version_index import VersionIndex
from tests.unit.index_nodes.snapshots import DIMENSION, mixed_index, wanted, write

CASES = 1_000
PAGE = 4_096


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> tuple[VersionIndex, list[Path]]:
    """An index, and two snapshots of it under different numbers."""
    folder = tmp_path_factory.mktemp("node")
    index, store = mixed_index(folder / "v"), SnapshotStore(folder / "snapshots")
    older = write(index, store, 5)
    return index, [older, write(index, store, 9)]


@pytest.fixture
def store(written: tuple[VersionIndex, list[Path]], tmp_path: Path) -> SnapshotStore:
    """A copy of both, to be damaged."""
    shutil.copytree(written[1][0].parent, tmp_path / "snapshots")
    return SnapshotStore(tmp_path / "snapshots")


def files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.stat().st_size)


def flip(folder: Path, chance: random.Random) -> None:
    path = chance.choice(files(folder))
    data = bytearray(path.read_bytes())
    data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    path.write_bytes(data)


def cut(folder: Path, chance: random.Random) -> None:
    path = chance.choice(files(folder))
    os.truncate(path, chance.randrange(path.stat().st_size))


def grow(folder: Path, chance: random.Random) -> None:
    with chance.choice(files(folder)).open("ab") as file:
        file.write(chance.randbytes(chance.randint(1, PAGE)))


def zero_page(folder: Path, chance: random.Random) -> None:
    path = chance.choice(files(folder))
    data = bytearray(path.read_bytes())
    start = chance.randrange(len(data)) // PAGE * PAGE
    page = data[start : start + PAGE]
    data[start : start + PAGE] = bytes(len(page)) if any(page) else b"\1" * len(page)
    path.write_bytes(data)


def swap(folder: Path, chance: random.Random) -> None:
    # Two files of one content would be no damage.
    one, other = chance.sample([path for path in files(folder) if path.name != "revisions.npy"], 2)
    spare = folder / "spare"
    one.rename(spare)
    other.rename(one)
    spare.rename(other)


def lose(folder: Path, chance: random.Random) -> None:
    chance.choice(files(folder)).unlink()


def empty(folder: Path, chance: random.Random) -> None:
    chance.choice(files(folder)).write_bytes(b"")


def replace_by_link(folder: Path, chance: random.Random) -> None:
    path = chance.choice(files(folder))
    elsewhere = folder.parent / "elsewhere"
    shutil.rmtree(elsewhere, ignore_errors=True)
    elsewhere.mkdir()
    path.rename(elsewhere / path.name)
    path.symlink_to(elsewhere / path.name)


def add_file(folder: Path, chance: random.Random) -> None:
    (folder / chance.choice(["extra.npy", ".hidden", "graph-1-999.faiss"])).write_bytes(chance.randbytes(10))


def older_manifest(folder: Path, chance: random.Random) -> None:
    shutil.copy(min(folder.parent.glob("0*")) / MANIFEST, folder / MANIFEST)


DAMAGES: tuple[Callable[[Path, random.Random], None], ...] = (
    flip, flip, flip, cut, cut, grow, zero_page, zero_page, swap, lose, empty, replace_by_link, add_file, older_manifest
)  # fmt: skip


def test_a_thousand_damaged_snapshots_are_refused(written: tuple[VersionIndex, list[Path]], tmp_path: Path) -> None:
    chance = random.Random(14)
    newest = written[1][1]
    shutil.copytree(written[1][0], tmp_path / written[1][0].name)
    accepted = []
    for number in range(CASES):
        damage = DAMAGES[number % len(DAMAGES)]
        folder = tmp_path / newest.name
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(newest, folder)
        damage(folder, chance)
        try:
            verified(folder)
            accepted.append((number, damage.__name__))
        except SnapshotDamaged:
            pass
    assert accepted == []
    assert verified(newest).seq == 9


def rewritten(data: bytes, **changes: object) -> bytes:
    """A manifest that says something else, with a checksum that fits."""
    content = json.loads(data)
    content["manifest"] |= changes
    body = json.dumps(content["manifest"], sort_keys=True, separators=(",", ":")).encode()
    content["sha256"] = hashlib.sha256(body).hexdigest()
    return json.dumps(content, sort_keys=True, separators=(",", ":")).encode()


@pytest.mark.parametrize(
    "changes",
    [
        {"format": FORMAT + 1},
        {"seq": -1},
        {"seq": "9"},
        {"seq": True},
        {"dimension": 8.0},
        {"epoch": None},
        {"more": 1},
        {"files": []},
        {"files": {"../outside.npy": [1, "0" * 64]}},
        {"files": {"/etc/passwd": [1, "0" * 64]}},
        {"files": {"a.npy": [-1, "0" * 64]}},
        {"files": {"a.npy": [1, "0" * 63]}},
        {"files": {"a.npy": [1]}},
    ],
    ids=str,
)
def test_a_manifest_is_not_believed_for_its_checksum_alone(
    written: tuple[VersionIndex, list[Path]], changes: dict[str, object]
) -> None:
    data = (written[1][1] / MANIFEST).read_bytes()
    assert decode(rewritten(data)).seq == 9
    with pytest.raises(SnapshotDamaged):
        decode(rewritten(data, **changes))


@pytest.mark.parametrize(
    "data", [b"", b"{", b"[]", b"null", b"[" * 100_000, b"\xff\xfe"], ids=lambda data: repr(data[:4])
)
def test_what_is_no_manifest_is_refused(data: bytes) -> None:
    with pytest.raises(SnapshotDamaged):
        decode(data)


@pytest.mark.parametrize("changes", [{"documents": 1}, {"digest": 1}, {"dimension": 9}], ids=str)
def test_contents_must_be_those_the_manifest_tells_of(
    store: SnapshotStore, tmp_path: Path, changes: dict[str, object]
) -> None:
    folder = store.newest_first()[0]
    path = folder / MANIFEST
    path.write_bytes(rewritten(path.read_bytes(), **changes))
    index = VersionIndex(DIMENSION, tmp_path / "again")
    with pytest.raises(SnapshotDamaged, match="contradict"):
        restore(folder, verified(folder), index)
    assert index.tally() == (0, 0, 0)
    assert list(index.directory.iterdir()) == []


@pytest.mark.parametrize(
    "changes", [{"faiss": "1.0.0"}, {"metric": "l2"}, {"neighbours": 8}, {"ef_construction": 8}], ids=str
)
def test_a_snapshot_whose_graphs_were_made_in_another_way_is_removed(
    store: SnapshotStore, tmp_path: Path, changes: dict[str, object]
) -> None:
    for folder in store.newest_first():
        path = folder / MANIFEST
        path.write_bytes(rewritten(path.read_bytes(), **changes))
    index = VersionIndex(DIMENSION, tmp_path / "again")
    assert load_newest(store, wanted(9), index, MemoryBudget()) is None
    assert index.tally() == (0, 0, 0)
    assert list(store._folder.iterdir()) == []


def test_a_damaged_one_is_set_aside_and_the_next_older_taken(
    written: tuple[VersionIndex, list[Path]], store: SnapshotStore, tmp_path: Path
) -> None:
    older, newest = written[1]
    flip(store.newest_first()[0], random.Random(1))
    before = SNAPSHOTS.labels("damaged")._value.get()
    index = VersionIndex(DIMENSION, tmp_path / "again")
    assert load_newest(store, wanted(5), index, MemoryBudget()) == 5
    assert index.tally() == written[0].tally()
    assert SNAPSHOTS.labels("damaged")._value.get() == before + 1
    assert {path.name for path in store._folder.iterdir()} == {f"damaged-{newest.name}", older.name}


def test_when_all_are_damaged_one_is_kept_to_look_at_and_the_index_is_empty(
    store: SnapshotStore, tmp_path: Path
) -> None:
    for folder in store.newest_first():
        (folder / MANIFEST).write_bytes(b"")
    index = VersionIndex(DIMENSION, tmp_path / "again")
    assert load_newest(store, wanted(9), index, MemoryBudget()) is None
    assert index.tally() == (0, 0, 0)
    assert [path.name[:8] for path in store._folder.iterdir()] == ["damaged-"]
    assert (store.oldest_seq, store.newest_seq) == (0, None)
