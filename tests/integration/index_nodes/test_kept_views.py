"""A view under a filter that is kept beside writes passes what a new test of all documents would, and costs little."""

import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from embedding_project.contracts.filters import And, Condition, Filter, Or, to_wire
from embedding_project.contracts.search_costs import filter_microseconds
from index_nodes.collection import DocumentState
from index_nodes.effort import Effort, TooHeavy
from index_nodes.kept_views import MOST_CHANGES, KeptViews
from index_nodes.oracle import ExactIndex, OracleDocument
from index_nodes.version_index import VersionIndex
from tests.unit.index_nodes.builders import NAMESPACE, build_all, clustered_vectors, spec, state

DIMENSION, DOCUMENTS = 8, 1_500
VECTORS = clustered_vectors(DOCUMENTS, DIMENSION)
EVERY, SOME = Condition("number", "gte", 0), Condition("colour", "ne", 1)
FILTERS: list[Filter] = [
    EVERY,
    SOME,
    And((Condition("number", "lt", 900), Condition("number", "gte", 100))),
    Or((Condition("colour", "eq", 2), Condition("number", "lt", 400))),
]
CHEAP = Effort(most_microseconds=filter_microseconds(DOCUMENTS, 1) / 2)


class Written:
    """An index, and what it was given."""

    def __init__(self, folder: Path, filter_piece: int) -> None:
        self.index = VersionIndex(DIMENSION, folder / "v", filter_piece=filter_piece)
        self.oracle = ExactIndex()
        self._random = np.random.default_rng(3)
        self._revision = 0
        self.change(range(DOCUMENTS), "text")
        build_all(self.index)

    def change(self, keys: range, *kinds: str) -> None:
        self.index.apply([self._state(key, kinds[place % len(kinds)]) for place, key in enumerate(keys)], now=0.0)

    def change_some(self, count: int) -> None:
        for key in self._random.integers(0, DOCUMENTS, count).tolist():
            self.change(range(key, key + 1), self._random.choice(["text", "metadata", "delete"]))

    def passing(self, node: Filter) -> set[int]:
        (hits,) = self.index.search(NAMESPACE, VECTORS[:1], spec(DOCUMENTS, filter=to_wire(node), exact=True))
        return set(hits.document_keys.tolist())

    def check(self) -> None:
        for node in FILTERS:
            assert self.passing(node) == set(self.oracle.matching(NAMESPACE, node))

    def _state(self, key: int, kind: str) -> DocumentState:
        self._revision += 1
        known = self.oracle.documents.pop(key, None)
        if kind == "delete":
            return state(key, None, revision=self._revision)
        number, colour = self._random.integers(0, 1_000), self._random.integers(0, 3)
        metadata = {"number": int(number), "colour": int(colour)}
        keeps = kind == "metadata" and known is not None
        text_revision = known.text_revision if keeps and known else self._revision
        vector = known.vector if keeps and known else VECTORS[self._revision % DOCUMENTS]
        self.oracle.documents[key] = OracleDocument(
            namespace_key=NAMESPACE,
            revision=self._revision,
            text_revision=text_revision,
            vector=vector,
            metadata=metadata,
        )
        return state(key, vector, revision=self._revision, text_revision=text_revision, metadata=metadata)


@pytest.fixture(params=[DOCUMENTS, 100])
def written(request: pytest.FixtureRequest, tmp_path: Path) -> Written:
    """Filters are tested on all documents at once, and in pieces."""
    return Written(tmp_path, request.param)


def test_it_passes_what_a_new_test_would(written: Written) -> None:
    written.check()
    for count in (0, 1, 7, 60, 400, MOST_CHANGES, 3, 2 * MOST_CHANGES + 5, 20, 1):
        written.change_some(count)
        written.check()
        if count == 60:
            build_all(written.index)
            written.check()


def test_after_a_write_it_costs_no_new_test_and_after_very_many_it_does(written: Written) -> None:
    def search(node: Filter, effort: Effort) -> None:
        written.index.search(NAMESPACE, VECTORS[:1], spec(filter=to_wire(node)), effort)

    search(EVERY, Effort())
    for changed in (range(30), range(0)):
        written.change(changed, "text", "metadata", "delete")
        search(EVERY, CHEAP)
        with pytest.raises(TooHeavy):
            search(SOME, CHEAP)
    written.change_some(MOST_CHANGES + 1)
    with pytest.raises(TooHeavy):
        search(EVERY, CHEAP)


def test_what_is_noted_beside_views_takes_16_bytes_a_change() -> None:
    # A node may hold thousands of namespaces, each with its own views.
    views = KeptViews()
    views.begin()
    tracemalloc.start()
    for number in range(MOST_CHANGES):
        views.note_change(1_000_000 + number)
    noted, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert noted < 20 * MOST_CHANGES


def test_a_build_makes_it_anew(written: Written) -> None:
    written.passing(EVERY)
    written.change(range(600), "text")
    build_all(written.index)
    with pytest.raises(TooHeavy):
        written.index.search(NAMESPACE, VECTORS[:1], spec(filter=to_wire(EVERY)), CHEAP)
    written.check()


@pytest.mark.parametrize("count", [5, MOST_CHANGES, 3 * MOST_CHANGES])
def test_what_changes_while_it_is_tested_is_tested_again(tmp_path: Path, count: int) -> None:
    written = Written(tmp_path, filter_piece=100)
    left = [count]

    def change_and_tell_the_time() -> float:
        if left:
            written.change_some(left.pop())
        return 0.0

    for node in FILTERS:
        left.append(count)
        effort = Effort(clock=change_and_tell_the_time)
        written.index.search(NAMESPACE, VECTORS[:1], spec(filter=to_wire(node)), effort)
        written.check()
