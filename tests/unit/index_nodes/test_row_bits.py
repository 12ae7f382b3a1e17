"""Rows of a segment, a bit each, are what the same marks are in bytes."""

import numpy as np
import pytest

from index_nodes.row_bits import RowBits


@pytest.mark.parametrize("total", [0, 1, 7, 8, 63, 64, 65, 1_000])
def test_they_are_the_rows_that_were_marked(total: int) -> None:
    random = np.random.default_rng(total)
    mask = random.random(total) < 0.4
    bits = RowBits.of(mask)
    rows = random.integers(0, max(total, 1), 50) if total else np.empty(0, np.int64)
    assert bits.mask().tolist() == mask.tolist()
    assert bits.count() == np.count_nonzero(mask)
    assert bits.has(rows).tolist() == mask[rows].tolist()


def test_a_mended_copy_has_grown_and_leaves_the_first_as_it_was() -> None:
    random = np.random.default_rng(0)
    mask = random.random(500) < 0.5
    bits = RowBits.of(mask)
    expected = np.concatenate([mask, np.zeros(300, np.bool_)])
    # A row may be named twice: dead first, then marked again.
    gone, changed = random.integers(0, 500, 40), np.unique(random.integers(0, 800, 60))
    passes = random.random(len(changed)) < 0.5
    expected[gone] = False
    expected[changed] = passes
    mended = bits.mended(800, np.concatenate([gone, changed]), np.concatenate([np.zeros(40, np.bool_), passes]))
    assert mended.mask().tolist() == expected.tolist()
    assert mended.count() == np.count_nonzero(expected)
    assert bits.mask().tolist() == mask.tolist()
    assert RowBits.none().mended(9, np.array([8]), np.array([True])).mask().tolist() == [False] * 8 + [True]
