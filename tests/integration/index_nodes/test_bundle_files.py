"""A bundle is read only when it is the one that was announced, whole, and of this index; else nothing of it is used."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from index_nodes.bundle_files import Bundle, read_bundle
from index_nodes.memory_budget import MemoryBudget, NoRoom
from index_nodes.snapshot_check import Abandoned
from index_nodes.snapshot_files import MANIFEST, SnapshotDamaged
from tests.unit.index_nodes.builders import clustered_vectors
from tests.unit.index_nodes.bundles import Contents, place_of, write_bundle

CONTENTS = Contents(
    keys=range(100, 400), vectors=clustered_vectors(300, 8), metadata=[{"n": number % 9} for number in range(300)]
)
Damage = Callable[[Path], Any]


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return write_bundle(tmp_path_factory.mktemp("bundles"), CONTENTS)


def check_refused(bundle: Bundle, directory: Path, words: str = ".") -> None:
    with pytest.raises(SnapshotDamaged, match=words):
        read_bundle(bundle, place_of(CONTENTS, directory), MemoryBudget(), lambda: False)
    assert not list(directory.rglob("*.faiss"))


def test_a_whole_bundle_is_read_and_stays_as_it_is(good: Bundle, tmp_path: Path) -> None:
    before = {path.name: path.read_bytes() for path in good.folder.iterdir()}
    built = read_bundle(good, place_of(CONTENTS, tmp_path), MemoryBudget(), lambda: False)
    assert built.document_keys.tolist() == list(CONTENTS.keys)
    assert built.graph.ntotal == len(built) == 300
    assert built.path.parent.parent == tmp_path
    built.path.unlink()
    assert {path.name: path.read_bytes() for path in good.folder.iterdir()} == before


def _flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


DAMAGES: dict[str, Damage] = {
    "a byte of the graph": lambda folder: _flip(next(folder.glob("*.faiss"))),
    "a byte of an array": lambda folder: _flip(folder / "codes.npy"),
    "a byte of the manifest": lambda folder: _flip(folder / MANIFEST),
    "a file cut short": lambda folder: (folder / "stamps.npy").write_bytes(b""),
    "a file more": lambda folder: (folder / "more.npy").write_bytes(b""),
    "a file less": lambda folder: (folder / "values.jsonl").unlink(),
    "no manifest": lambda folder: (folder / MANIFEST).unlink(),
    "nothing": lambda folder: [path.unlink() for path in folder.iterdir()],
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_one_is_refused(tmp_path: Path, damage: str) -> None:
    bundle = write_bundle(tmp_path / "bundles", CONTENTS)
    DAMAGES[damage](bundle.folder)
    check_refused(bundle, tmp_path / "index")


def test_one_that_is_not_there_is_refused(good: Bundle, tmp_path: Path) -> None:
    check_refused(replace(good, folder=tmp_path / "nowhere"), tmp_path / "index", "cannot be read")


def test_another_bundle_in_its_place_is_refused(good: Bundle, tmp_path: Path) -> None:
    other = write_bundle(tmp_path / "other", replace(CONTENTS, vectors=clustered_vectors(300, 8, seed=2)))
    check_refused(replace(good, folder=other.folder), tmp_path / "index", "another one than was announced")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"version_key": 8}, "another index"),
        ({"shard": 1}, "another index"),
        ({"layout": 2}, "another index"),
        ({"epoch": "another"}, "another index"),
        ({"changes": {"faiss": "0.1"}}, "Faiss 0.1"),
        ({"changes": {"neighbours": 8}}, "made in another way"),
        ({"changes": {"documents": 299}}, "contradict"),
        ({"changes": {"digest": 1}}, "different documents"),
        ({"namespace_key": 9}, "another namespace"),
        ({"revision": 2}, "was changed"),
    ],
)
def test_one_of_something_else_is_refused(good: Bundle, tmp_path: Path, change: dict[str, Any], words: str) -> None:
    made = write_bundle(tmp_path / "bundles", replace(CONTENTS, **change))
    check_refused(replace(good, folder=made.folder, sha256=made.sha256), tmp_path / "index", words)


@pytest.mark.parametrize("keys", [range(90, 390), range(110, 410)])
def test_keys_outside_of_its_range_are_refused(good: Bundle, tmp_path: Path, keys: range) -> None:
    made = write_bundle(tmp_path / "bundles", replace(CONTENTS, keys=keys))
    check_refused(replace(made, first_key=100, last_key=399), tmp_path / "index", "keys of other documents")


def test_a_graph_of_other_vectors_is_refused(tmp_path: Path) -> None:
    """Every checksum fits, and the graph is sound, but of another dimension or of fewer rows."""
    fewer = replace(
        CONTENTS, keys=CONTENTS.keys[:290], vectors=CONTENTS.vectors[:290], metadata=CONTENTS.metadata[:290]
    )
    wider = replace(CONTENTS, vectors=clustered_vectors(300, 16))
    for number, other in enumerate((fewer, wider)):
        graph = next(write_bundle(tmp_path / f"other-{number}", other).folder.glob("*.faiss"))
        made = write_bundle(tmp_path / f"made-{number}", replace(CONTENTS, graph=graph))
        check_refused(made, tmp_path / f"index-{number}")


def test_one_without_a_graph_is_refused(tmp_path: Path) -> None:
    graphless = replace(CONTENTS, least_graph_rows=1_000)
    check_refused(write_bundle(tmp_path / "bundles", graphless), tmp_path / "index", "no graph|not one graph")


def test_a_node_without_memory_reads_nothing(good: Bundle, tmp_path: Path) -> None:
    with pytest.raises(NoRoom, match="a bundle of job"):
        read_bundle(good, place_of(CONTENTS, tmp_path), MemoryBudget(1, spared=0), lambda: False)


def test_a_bundle_that_nobody_wants_any_more_is_left(good: Bundle, tmp_path: Path) -> None:
    with pytest.raises(Abandoned):
        read_bundle(good, place_of(CONTENTS, tmp_path), MemoryBudget(), lambda: True)
    assert not list(tmp_path.rglob("*.faiss"))
