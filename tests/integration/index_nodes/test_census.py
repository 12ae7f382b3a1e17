"""A census of an index with graphs: what it counts is what a look at each document counts, beside any changes."""

import random
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from embedding_project.contracts.census import MOST_VALUES, Census, DocumentKeys, Value, scalars_of
from embedding_project.contracts.filters import from_wire, matches, parse_filter, to_wire
from embedding_project.contracts.metadata import flatten
from index_nodes.seal_rule import SealRule
from index_nodes.version_index import VersionIndex
from tests.unit.index_nodes.builders import NAMESPACE, build_all, clustered_vectors, state

DOCUMENTS, DIMENSION = 600, 8
VECTORS = clustered_vectors(DOCUMENTS, DIMENSION)
FILTERS = [
    "",
    *(to_wire(one) for one in map(parse_filter, ({"kind": "a"}, {"n": {"lt": 7}}, {"not": {"tags": "t1"}})) if one),
]
NOBODY: DocumentKeys = np.empty(0, np.int64)


def metadata(draw: random.Random) -> dict[str, Any]:
    made: dict[str, Any] = {"kind": draw.choice("abc"), "n": draw.randrange(20)}
    if draw.random() < 0.5:
        made["tags"] = [f"t{draw.randrange(3)}" for _ in range(2)]
    return made


def by_looking(known: dict[int, dict[str, Any]], wire: str, path: str, others: DocumentKeys) -> Census:
    node = from_wire(wire) if wire else None
    flat = [flatten(one) for key, one in known.items() if key not in set(others.tolist())]
    passing = [one for one in flat if node is None or matches(node, one)]
    values: Counter[tuple[str, Value]] = Counter()
    for one in passing if path else ():
        values.update(scalars_of(one.get(path)))
    return Census(count=len(passing), values=dict(values))


@pytest.mark.parametrize("piece", [50, 65_536], ids=["in pieces", "at once"])
def test_a_census_counts_what_is_there(piece: int, tmp_path: Path) -> None:
    draw = random.Random(piece)
    index = VersionIndex(DIMENSION, tmp_path / "index", SealRule(rows=64, quiet_rows=64), filter_piece=piece)
    known: dict[int, dict[str, Any]] = {}
    for turn in range(8):
        for key in draw.sample(range(DOCUMENTS), 200):
            gone, number = draw.random() < 0.2, turn + 1
            if gone:
                known.pop(key, None)
                index.apply([state(key, None, revision=number)], now=0.0)
            else:
                known[key] = metadata(draw)
                changes = {"revision": number, "text_revision": number, "metadata": known[key]}
                index.apply([state(key, VECTORS[key], **changes)], now=0.0)
        if turn % 3 == 2:
            build_all(index)
        others = np.array(sorted(draw.sample(range(DOCUMENTS), 40)), np.int64)
        for wire in FILTERS:
            for path in ("", "kind", "n", "tags", "nothing"):
                for left_out in (NOBODY, others):
                    expected = by_looking(known, wire, path, left_out)
                    assert index.census(NAMESPACE, wire, path, left_out) == expected, (turn, wire, path)
    assert index.segment_counts()[1] > 0, "no graph was counted"
    index.close()


def test_a_namespace_that_no_document_has_come_to_is_empty(tmp_path: Path) -> None:
    index = VersionIndex(DIMENSION, tmp_path / "index")
    assert index.census(NAMESPACE, "", "kind", NOBODY) == Census(count=0, values={})
    index.close()


def test_more_values_than_a_census_may_have_are_refused(tmp_path: Path) -> None:
    index = VersionIndex(DIMENSION, tmp_path / "index")
    states = [state(key, VECTORS[0], metadata={"own": key}) for key in range(MOST_VALUES + 1)]
    index.apply(states[:-1], now=0.0)
    found = index.census(NAMESPACE, "", "own", NOBODY)
    assert found is not None
    assert len(found.values) == MOST_VALUES
    index.apply(states[-1:], now=0.0)
    assert index.census(NAMESPACE, "", "own", NOBODY) is None
    assert index.census(NAMESPACE, "", "", NOBODY) == Census(count=MOST_VALUES + 1, values={})
    index.close()
