"""The exact scan, over blocks, for every way in which rows can be selected."""

import numpy as np
import pytest

from index_nodes.row_bits import RowBits
from index_nodes.scan import RowTable, scan
from index_nodes.selections import LiveRows, MarkedRows
from tests.unit.index_nodes.builders import clustered_vectors

ROWS = 20_000
VECTORS = clustered_vectors(ROWS, 8)
TABLE = RowTable(VECTORS, np.arange(ROWS)[::-1] * 10, np.ones(ROWS, np.int32))
EVERY_ROW = LiveRows(np.ones(ROWS, np.int64), 0, ROWS)
SCORES = VECTORS[:3] @ VECTORS.T


@pytest.mark.parametrize("queries", [1, 3])
@pytest.mark.parametrize("share", [1.0, 0.9, 0.2, 0.0004, 0.0])
@pytest.mark.parametrize("top_k", [1, 10, 1_000])
def test_the_best_selected_rows_are_found(queries: int, share: float, top_k: int) -> None:
    matching = np.random.default_rng(0).random(ROWS) < share
    found = scan(TABLE, MarkedRows(RowBits.of(matching)), VECTORS[:queries], top_k)
    expected = np.where(matching, SCORES[:queries], -np.inf)
    count = min(top_k, int(matching.sum()))
    assert found.rows.shape == found.scores.shape == (queries, count)
    assert np.all(matching[found.rows])
    best = -np.sort(-expected, axis=1)[:, :count]
    assert np.allclose(-np.sort(-found.scores, axis=1), best, atol=1e-5)


def test_every_row_may_be_selected() -> None:
    found = scan(TABLE, EVERY_ROW, VECTORS[:1], 5)
    assert 0 in found.rows[0]


@pytest.mark.parametrize("queries", [1, 3])
def test_equal_scores_are_cut_by_document_key_and_longer_answers_begin_as_shorter_ones(queries: int) -> None:
    alike = np.random.default_rng(0).integers(0, 3, ROWS)
    table = TABLE._replace(vectors=VECTORS[alike])
    longest = scan(table, EVERY_ROW, VECTORS[:queries], 9_000)
    for scores, document_keys in zip(longest.scores, table.document_keys[longest.rows], strict=True):
        assert np.array_equal(np.lexsort((document_keys, -scores)), np.arange(9_000))
    for top_k in (1, 10, 200, 5_000):
        shorter = scan(table, EVERY_ROW, VECTORS[:queries], top_k)
        assert np.array_equal(shorter.rows, longest.rows[:, :top_k])
