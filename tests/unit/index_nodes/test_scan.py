"""The exact scan, over blocks, for every way in which rows can be selected."""

import numpy as np
import pytest

from index_nodes.rows import Selection
from index_nodes.scan import scan
from tests.unit.index_nodes.builders import clustered_vectors

ROWS = 20_000
VECTORS = clustered_vectors(ROWS, 8)
SCORES = VECTORS[:3] @ VECTORS.T


def selection(matching: np.ndarray) -> Selection:
    return Selection(matching, int(matching.sum()))


@pytest.mark.parametrize("queries", [1, 3])
@pytest.mark.parametrize("share", [1.0, 0.9, 0.2, 0.0004, 0.0])
@pytest.mark.parametrize("top_k", [1, 10, 1_000])
def test_the_best_selected_rows_are_found(queries: int, share: float, top_k: int) -> None:
    matching = np.random.default_rng(0).random(ROWS) < share
    found = scan(VECTORS, selection(matching), VECTORS[:queries], top_k)
    expected = np.where(matching, SCORES[:queries], -np.inf)
    count = min(top_k, int(matching.sum()))
    assert found.rows.shape == found.scores.shape == (queries, count)
    assert np.all(matching[found.rows])
    best = -np.sort(-expected, axis=1)[:, :count]
    assert np.allclose(-np.sort(-found.scores, axis=1), best, atol=1e-5)


def test_no_mask_means_every_row() -> None:
    found = scan(VECTORS, Selection(None, ROWS), VECTORS[:1], 5)
    assert 0 in found.rows[0]
