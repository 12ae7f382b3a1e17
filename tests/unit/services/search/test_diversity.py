"""Hits that differ from each other."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from embeddings_app.services.search.diversity import diverse

VECTORS = np.asarray([[1, 0, 0], [0.999, 0.045, 0], [0, 1, 0], [0, 0, 1]], np.float32)
SCORES = [0.9, 0.89, 0.5, 0.4]


def test_without_a_weight_of_difference_hits_stand_by_score() -> None:
    assert diverse(SCORES, VECTORS, 1.0, 4) == [0, 1, 2, 3]


def test_what_says_the_same_comes_last() -> None:
    assert diverse(SCORES, VECTORS, 0.5, 4) == [0, 2, 3, 1]
    assert diverse(SCORES, VECTORS, 0.5, 2) == [0, 2]


@given(st.integers(0, 12), st.floats(0, 1), st.integers(1, 20))
def test_each_hit_is_chosen_once_and_the_best_first(hits: int, balance: float, count: int) -> None:
    random = np.random.default_rng(hits)
    vectors = random.standard_normal((hits, 4)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True) if hits else 1
    scores = sorted(random.random(hits).tolist(), reverse=True)
    chosen = diverse(scores, vectors, balance, count)
    assert len(chosen) == len(set(chosen)) == min(hits, count)
    assert not chosen or balance == 0 or chosen[0] == 0
