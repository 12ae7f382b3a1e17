"""Searches on several threads while documents come, change and go and graphs are built: each hit was true meanwhile."""

import sys
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from embedding_project.contracts.filters import Condition, to_wire
from embedding_project.contracts.hits import rounded_scores
from embedding_project.contracts.vectors import Vector
from index_nodes.scan import SearchSpec
from index_nodes.seal_rule import SealRule
from index_nodes.version_index import FILTER_PIECE, VersionIndex
from tests.unit.index_nodes.builders import NAMESPACE, build_all, clustered_vectors, spec, state

LONGEST_SECONDS = 300.0
SEARCHES_EACH, BUILDS = 300, 8
DIMENSION = 16
VECTORS = clustered_vectors(997, DIMENSION)
KEPT, ALL = 60, 200
"""Documents below `KEPT` change and stay. The others also go and come back, and take each other's slots."""
SPECS = (
    spec(10, ef_search=20, scan_factor=0.0),
    spec(ALL, scan_factor=0.0),
    spec(KEPT, filter=to_wire(Condition("kept", "eq", True)), scan_factor=0.0),
    spec(KEPT, filter=to_wire(Condition("kept", "eq", True)), exact=True),
    spec(KEPT, filter=to_wire(Condition("kept", "ne", False))),
    spec(20, filter=to_wire(Condition("colour", "eq", 1))),
)


def vector_of(document_key: int, text_revision: int) -> Vector:
    vector: Vector = VECTORS[(document_key * 89 + text_revision * 31) % len(VECTORS)]
    return vector


@dataclass(slots=True)
class Known:
    """A state of a document, and when its writing began and had ended."""

    text_revision: int | None
    colour: int
    began: int
    ended: int | None = None


class Truth:
    """Writes to the index, and knows which states each document may have had between two points in time."""

    def __init__(self, index: VersionIndex) -> None:
        self._index = index
        self._random = np.random.default_rng(0)
        self._revision = 0
        self.history: defaultdict[int, list[Known]] = defaultdict(list)

    def write(self, keys: list[int]) -> None:
        began, states, known = time.monotonic_ns(), [], []
        for key in keys:
            self._revision += 1
            before, colour = self.history[key][-1:], int(self._random.integers(0, 2))
            text_revision: int | None = self._revision
            if before and before[0].text_revision and self._random.random() < 0.3:
                text_revision = before[0].text_revision  # only the metadata change
            elif key >= KEPT and self._random.random() < 0.4:
                text_revision = None
            known.append(Known(text_revision, colour, began))
            self.history[key].append(known[-1])
            states.append(
                state(
                    key,
                    None if text_revision is None else vector_of(key, text_revision),
                    revision=self._revision,
                    text_revision=text_revision or 0,
                    metadata={"kept": key < KEPT, "colour": colour},
                )
            )
        self._index.apply(states, now=0.0)
        ended = time.monotonic_ns()
        for one in known:
            one.ended = ended

    def possible(self, key: int, text_revision: int | None, began: int, ended: int) -> set[int]:
        """The colours that the document had with this text, or any, at some moment of that time."""
        states = list(self.history[key])
        following = [*states[1:], Known(None, 0, ended + 1)]
        return {
            now.colour
            for now, then in zip(states, following, strict=True)
            if text_revision in (now.text_revision, None)
            and now.began <= ended
            and (then.ended is None or then.ended >= began)
        }


def check(truth: Truth, index: VersionIndex, query: Vector, wanted: SearchSpec, *, by_pieces: bool) -> None:
    began = time.monotonic_ns()
    hits = index.search(NAMESPACE, query[np.newaxis], wanted)[0]
    ended = time.monotonic_ns()
    shown = list(hits)
    keys = {key for _, key, _ in shown}
    assert len(keys) == len(shown)
    if "kept" in wanted.filter:
        assert keys == set(range(KEPT))
    elif wanted.top_k == ALL:
        assert keys >= set(range(KEPT))
    elif not wanted.filter:
        assert len(shown) == wanted.top_k
    for score, key, text_revision in shown:
        colours = truth.possible(int(key), int(text_revision), began, ended)
        assert colours
        if by_pieces:
            # Its metadata are read after its row, and may be those of a later text.
            colours = truth.possible(int(key), None, began, ended)
        assert "colour" not in wanted.filter or 1 in colours
        vector = vector_of(int(key), int(text_revision))
        assert score == rounded_scores(np.array([vector.astype(np.float64) @ query.astype(np.float64)]))[0]


@pytest.fixture
def impatient_threads() -> Iterator[None]:
    """Threads that interrupt each other in the middle of everything."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("impatient_threads")
@pytest.mark.parametrize("filter_piece", [FILTER_PIECE, 16])
def test_each_hit_was_true_during_its_search_and_none_is_missing(tmp_path: Path, filter_piece: int) -> None:
    rule = SealRule(rows=40, quiet_rows=1, quiet_seconds=0.0)
    index = VersionIndex(DIMENSION, tmp_path / "v", rule, filter_piece=filter_piece)
    truth, stopping = Truth(index), threading.Event()
    truth.write(list(range(KEPT)))
    counted: dict[str, int] = defaultdict(int)

    def repeat(name: str, action: Callable[[np.random.Generator], None], seed: int) -> None:
        random = np.random.default_rng(seed)
        try:
            while not stopping.is_set():
                action(random)
                counted[name] += 1
        finally:
            stopping.set()

    def write(random: np.random.Generator) -> None:
        truth.write(random.permutation(ALL)[: random.integers(1, 12)].tolist())
        time.sleep(0.0005)

    def build(_random: np.random.Generator) -> None:
        build_all(index)
        time.sleep(0.001)

    def search(random: np.random.Generator) -> None:
        query, wanted = VECTORS[random.integers(len(VECTORS))], SPECS[random.integers(len(SPECS))]
        check(truth, index, query, wanted, by_pieces=filter_piece < ALL)

    def enough() -> bool:
        searches = min(counted[name] for name in actions if name.startswith("search"))
        return searches >= SEARCHES_EACH and index.published >= BUILDS

    actions = {"write": write, "build": build, "search 1": search, "search 2": search, "search 3": search}
    with ThreadPoolExecutor(len(actions)) as threads:
        running = [threads.submit(repeat, name, action, seed) for seed, (name, action) in enumerate(actions.items())]
        until = time.monotonic() + LONGEST_SECONDS
        while not (enough() or stopping.wait(0.02)) and time.monotonic() < until:
            pass
        stopping.set()
    for one in running:
        one.result()
    assert enough()
