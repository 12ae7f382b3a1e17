"""The vector of a text does not depend on what is computed beside it."""

from functools import cache
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.integration.workers.real_model import real_model
from tests.unit.workers.builders import DIMENSION, HASHING, cosine
from workers.encoders.base import Encoder
from workers.encoders.hashing import HashingEncoder

LEAST_COSINE, MOST_DIFFERENCE = 0.99999, 1e-4
TEXTS = [
    "a",
    "How do I list the files of a package?",
    "Grüße aus München, 日本語のテキスト",
    "lorem ipsum dolor sit amet " * 12,
    "command line tool for " * 40,
    "SELECT * FROM t WHERE a = 'b'; -- comment",
    "library of functions to read and write archives",
    "two words",
]


@cache
def encoder(name: str) -> Encoder:
    if name == "hashing":
        return HashingEncoder(DIMENSION, HASHING.max_tokens)
    return real_model()


@cache
def alone(name: str, text: str) -> np.ndarray:
    found = encoder(name)
    vector: np.ndarray = found.encode(found.tokenize([text]))[0]
    return vector


@pytest.mark.parametrize("name", ["hashing", "minilm"])
@settings(max_examples=15, deadline=None)
@given(order=st.permutations(range(len(TEXTS))), cuts=st.sets(st.integers(1, len(TEXTS) - 1)))
def test_a_text_gets_its_vector_in_any_split_and_order(name: str, order: list[int], cuts: set[int]) -> None:
    edges = [0, *sorted(cuts), len(order)]
    for start, end in pairwise(edges):
        texts = [TEXTS[position] for position in order[start:end]]
        vectors = encoder(name).encode(encoder(name).tokenize(texts))
        for text, vector in zip(texts, vectors, strict=True):
            assert cosine(vector, alone(name, text)) >= LEAST_COSINE
            assert np.abs(vector - alone(name, text)).max() <= MOST_DIFFERENCE
