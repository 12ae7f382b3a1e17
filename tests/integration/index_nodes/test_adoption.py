"""Documents with a graph that was built elsewhere come into an index: as if each had been applied, and never sooner."""

import random
from collections import UserDict
from collections.abc import ItemsView, Mapping
from dataclasses import replace
from pathlib import Path
from threading import Thread
from typing import Any, cast

import numpy as np
import pytest

from embedding_project.contracts.filters import Condition, to_wire
from embedding_project.contracts.vector_storage import VectorStorage
from index_nodes.adoption import Adoption
from index_nodes.bundle_files import read_bundle
from index_nodes.collection import OUTLIVED_SECONDS, DocumentState
from index_nodes.collection_state import ColumnState
from index_nodes.memory_budget import MemoryBudget
from index_nodes.snapshot_files import verified
from index_nodes.snapshot_load import restore
from index_nodes.snapshot_store import SnapshotStore
from index_nodes.version_index import VersionIndex
from tests.unit.index_nodes.builders import NAMESPACE, build_all, clustered_vectors, spec, state
from tests.unit.index_nodes.bundles import Contents, place_of, write_bundle
from tests.unit.index_nodes.snapshots import write

DIMENSION, COUNT = 8, 700
KEYS = [1_000 + 2 * number for number in range(COUNT)]
VECTORS = clustered_vectors(COUNT, DIMENSION, seed=3)
QUERIES = clustered_vectors(5, DIMENSION, seed=1)
VALUES = (None, 1, 2.5, True, "text", ["a", 1, [2]], 10**30, "2026-01-01T00:00:00Z")


def metadata(number: int) -> dict[str, Any]:
    some: dict[str, Any] = {"kind": VALUES[number % 8], "own": f"n{number}", "few": {"name": number % 3}}
    return {path: value for place, (path, value) in enumerate(some.items()) if (number + place) % 5}


CONTENTS = Contents(keys=KEYS, vectors=VECTORS, metadata=[metadata(number) for number in range(COUNT)])
FILTERS = (
    "",
    to_wire(Condition("kind", "eq", 1)),
    to_wire(Condition("kind", "gt", 1)),
    to_wire(Condition("kind", "contains", "a")),
    to_wire(Condition("kind", "gte", "2025-01-01T00:00:00Z")),
    to_wire(Condition("own", "eq", "n17")),
    to_wire(Condition("own", "in", ["n3", "n699", "online"])),
    to_wire(Condition("few.name", "eq", 2)),
    to_wire(Condition("own", "exists", False)),
)


def begun(index: VersionIndex, tmp_path: Path, contents: Contents = CONTENTS) -> Adoption:
    bundle = write_bundle(tmp_path / "bundles", contents)
    built = read_bundle(bundle, place_of(contents, index.directory), MemoryBudget(), lambda: False)
    adoption = index.begin_adoption(contents.namespace_key, built)
    for _ in index.adopt_fields(contents.namespace_key, adoption):
        pass
    return adoption


def applied(directory: Path, *states: DocumentState, **options: Any) -> VersionIndex:
    """What an index holds that applied the documents of the bundle one by one, and some states beside."""
    index = VersionIndex(DIMENSION, directory, **options)
    rows = zip(KEYS, VECTORS, CONTENTS.metadata, strict=True)
    index.apply([state(key, vector, metadata=fields) for key, vector, fields in rows], 0.0)
    index.apply(states, 0.0)
    return index


def found(index: VersionIndex, wire: str) -> list[Mapping[int, float]]:
    hits = index.search(NAMESPACE, QUERIES, spec(COUNT, exact=True, filter=wire))
    return [dict(zip(hit.document_keys.tolist(), hit.scores.round(5).tolist(), strict=True)) for hit in hits]


def check_equal(index: VersionIndex, expected: VersionIndex) -> None:
    documents, _, digest = expected.tally()
    assert (index.tally()[0], index.tally()[2]) == (documents, digest)
    for wire in FILTERS:
        assert [hits.keys() for hits in found(index, wire)] == [hits.keys() for hits in found(expected, wire)], wire
    for ours, theirs in zip(found(index, ""), found(expected, ""), strict=True):
        assert ours == pytest.approx(theirs, abs=1e-4)


def test_an_empty_namespace_holds_what_was_built_at_once_and_not_sooner(tmp_path: Path) -> None:
    index = VersionIndex(DIMENSION, tmp_path / "index")
    adoption = begun(index, tmp_path)
    assert index.tally() == (0, 0, 0)
    assert not any(found(index, wire) for wire in FILTERS if any(found(index, wire)))
    index.adopt(NAMESPACE, adoption, 0.0)
    assert index.tally()[:2] == (COUNT, COUNT)
    assert index.segment_counts() == (0, 1)
    check_equal(index, applied(tmp_path / "expected"))


class Asking(UserDict[str, ColumnState]):
    """Columns that are read when the graph becomes a segment: another thread then uses the index."""

    answered = False

    def __init__(self, columns: Mapping[str, ColumnState], index: VersionIndex) -> None:
        super().__init__(columns)
        self._index = index

    def items(self) -> ItemsView[str, ColumnState]:
        other = Thread(target=self._index.tally, daemon=True)
        other.start()
        other.join(10)
        self.answered = not other.is_alive()
        return super().items()


def test_the_index_is_free_while_the_graph_becomes_a_segment(tmp_path: Path) -> None:
    index = VersionIndex(DIMENSION, tmp_path / "index")
    bundle = write_bundle(tmp_path / "bundles", CONTENTS)
    built = read_bundle(bundle, place_of(CONTENTS, index.directory), MemoryBudget(), lambda: False)
    columns = Asking(built.columns, index)
    index.begin_adoption(NAMESPACE, replace(built, columns=columns))
    assert columns.answered


def test_what_the_index_knows_is_newer(tmp_path: Path) -> None:
    """A new text, a change of the metadata alone, a delete; before and while the documents are prepared."""
    vector = QUERIES[0]
    early = [
        state(KEYS[0], vector, revision=2, text_revision=2, metadata={"own": "online"}),
        state(KEYS[1], VECTORS[1], revision=2, metadata={"own": "online"}),
        state(KEYS[2], None, revision=2),
        state(5, vector, metadata={"own": "n17", "another": 1}),
    ]
    late = [
        state(KEYS[3], vector, revision=3, text_revision=2, metadata={"kind": 1}),
        state(KEYS[4], VECTORS[4], revision=2, metadata={}),
        state(KEYS[5], None, revision=2),
        state(6, vector),
    ]
    index = VersionIndex(DIMENSION, tmp_path / "index")
    index.apply(early, 0.0)
    adoption = begun(index, tmp_path)
    index.apply(late, 0.0)
    index.adopt(NAMESPACE, adoption, 0.0)
    expected = applied(tmp_path / "expected", *early, *late)
    check_equal(index, expected)
    # The slots of rows that were dead from the beginning go to other documents.
    more = [state(key, VECTORS[key], metadata={"own": "n3"}) for key in range(20)]
    for one in (index, expected):
        one.apply(more, 0.0)
        build_all(one)
    check_equal(index, expected)


def test_an_older_tombstone_does_not_hold_a_document_back(tmp_path: Path) -> None:
    index = VersionIndex(DIMENSION, tmp_path / "index")
    index.apply([state(KEYS[0], None, revision=1)], 0.0)
    index.adopt(NAMESPACE, begun(index, tmp_path), 0.0)
    check_equal(index, applied(tmp_path / "expected"))
    index.apply([state(KEYS[0], None, revision=2)], 0.0)
    assert index.tally()[0] == COUNT - 1


def test_later_states_are_applied_as_ever(tmp_path: Path) -> None:
    later = [
        *(state(key, None, revision=2) for key in KEYS[::7]),
        *(state(key, QUERIES[1], revision=3, text_revision=2, metadata={"own": "n3"}) for key in KEYS[1::7]),
    ]
    index = VersionIndex(DIMENSION, tmp_path / "index")
    index.adopt(NAMESPACE, begun(index, tmp_path), 0.0)
    index.apply(later, 0.0)
    expected = applied(tmp_path / "expected", *later)
    check_equal(index, expected)
    build_all(index)
    check_equal(index, expected)


@pytest.mark.parametrize("moment", ["before", "begun", "after"])
def test_a_snapshot_of_any_moment_is_whole(tmp_path: Path, moment: str) -> None:
    index, store = VersionIndex(DIMENSION, tmp_path / "index"), SnapshotStore(tmp_path / "snapshots")
    index.apply([state(KEYS[0], None, revision=2), state(5, VECTORS[5])], 0.0)
    folder = write(index, store, 1)
    adoption = begun(index, tmp_path)
    folder = write(index, store, 2) if moment == "begun" else folder
    index.adopt(NAMESPACE, adoption, 0.0)
    folder = write(index, store, 3) if moment == "after" else folder
    again = VersionIndex(DIMENSION, tmp_path / "again")
    restore(folder, verified(folder), again)
    assert again.tally()[0] == (COUNT if moment == "after" else 1)
    if moment != "after":
        again.adopt(NAMESPACE, begun(again, tmp_path), 0.0)
    check_equal(again, index)


def test_what_was_given_up_leaves_no_trace(tmp_path: Path) -> None:
    index = VersionIndex(DIMENSION, tmp_path / "index")
    index.apply([state(5, VECTORS[5], metadata={"own": "n17"})], 0.0)
    before = index.tally(), found(index, FILTERS[5])
    index.abandon(NAMESPACE, begun(index, tmp_path))
    assert (index.tally(), found(index, FILTERS[5])) == before
    assert not list(index.directory.rglob("*.faiss"))
    for _ in range(2):
        index.adopt(NAMESPACE, begun(index, tmp_path), 0.0)
    check_equal(index, applied(tmp_path / "expected", state(5, VECTORS[5], metadata={"own": "n17"})))


def test_an_adoption_that_fails_as_it_begins_leaves_no_trace(tmp_path: Path) -> None:
    index = VersionIndex(DIMENSION, tmp_path / "v")
    bundle = write_bundle(tmp_path / "bundles", CONTENTS)
    built = read_bundle(bundle, place_of(CONTENTS, index.directory), MemoryBudget(), lambda: False)
    with pytest.raises(AttributeError):
        index.begin_adoption(NAMESPACE, replace(built, graph=cast(Any, None)))
    assert not list(index.directory.rglob("*.faiss"))
    index.apply([state(1, VECTORS[0])], 0.0)
    captured = index.capture(NAMESPACE)
    assert captured is not None
    assert len(captured.slots.stamps) == COUNT, "the document has one of the slots that were given back"
    index.apply([state(1, None, revision=2)], 0.0)
    index.rows_due(2 * OUTLIVED_SECONDS)
    assert index.namespaces() == [], "nothing waits for documents that do not come"


def test_a_namespace_that_is_empty_waits_for_its_documents(tmp_path: Path) -> None:
    index = VersionIndex(DIMENSION, tmp_path / "index")
    index.apply([state(5, None, revision=2)], 0.0)
    adoption = begun(index, tmp_path)
    assert index.rows_due(2 * OUTLIVED_SECONDS) is None
    index.adopt(NAMESPACE, adoption, 3 * OUTLIVED_SECONDS)
    assert index.tally()[0] == COUNT


@pytest.mark.parametrize("storage", VectorStorage)
def test_graphs_hold_vectors_as_the_version_says(tmp_path: Path, storage: VectorStorage) -> None:
    index = VersionIndex(DIMENSION, tmp_path / "index", storage=storage)
    index.apply([state(5, VECTORS[5])], 0.0)
    index.adopt(NAMESPACE, begun(index, tmp_path, replace(CONTENTS, storage=storage)), 0.0)
    expected = applied(tmp_path / "expected", state(5, VECTORS[5]))
    exact = [set(list(hits)[:10]) for hits in found(expected, "")]
    walked = [set(hit.document_keys.tolist()) for hit in index.search(NAMESPACE, QUERIES, spec(10))]
    assert np.mean([len(ours & theirs) for ours, theirs in zip(exact, walked, strict=True)]) > 9
    build_all(index)
    assert index.tally()[:2] == (COUNT + 1, COUNT)


@pytest.mark.parametrize("seed", range(3))
def test_bundles_beside_writes_and_builds_in_any_order(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    index, expected = (VersionIndex(DIMENSION, tmp_path / name) for name in ("index", "expected"))
    parts = [
        replace(CONTENTS, keys=KEYS[first:last], vectors=VECTORS[first:last], metadata=CONTENTS.metadata[first:last])
        for first, last in ((0, 300), (300, 600))
    ]
    revisions = dict.fromkeys(KEYS, 1)

    def write_some() -> None:
        states = []
        for key in chance.sample(KEYS, 40):
            revisions[key] += 1
            vector = None if chance.random() < 0.3 else QUERIES[chance.randrange(5)]
            fields = {"own": f"n{chance.randrange(40)}"}
            text_revision = revisions[key] if vector is not None else 0
            states.append(state(key, vector, revision=revisions[key], text_revision=text_revision, metadata=fields))
        for one in (index, expected):
            one.apply(states, 0.0)
            if chance.random() < 0.5:
                build_all(one)

    write_some()
    for part in parts:
        adoption = begun(index, tmp_path, part)
        write_some()
        index.adopt(NAMESPACE, adoption, 0.0)
        rows = zip(part.keys, part.vectors, part.metadata, strict=True)
        expected.apply([state(key, vector, metadata=fields) for key, vector, fields in rows], 0.0)
        write_some()
        check_equal(index, expected)
    build_all(index)
    check_equal(index, expected)
