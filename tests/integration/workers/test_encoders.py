"""The real model: equal to its reference implementation, whatever else is in the batch."""

import numpy as np
import pytest
import torch

from embedding_project.contracts.vectors import EmbeddedText
from tests.integration.workers.real_model import FOLDER, real_model
from tests.unit.workers.builders import DIMENSION, cosine
from workers.encoders.base import Tokens
from workers.encoders.hashing import HashingEncoder
from workers.encoders.padded import padded
from workers.encoders.pooling import cls, last, mean
from workers.encoders.transformer import TransformerEncoder

TEXTS = [
    "a",
    "How do I list the files of a package?",
    "Grüße aus München: straße, naïve, 日本語のテキスト, emoji 🎉🎉",
    "lorem ipsum dolor sit amet " * 12,
    "command line tool for " * 100,
    "SELECT * FROM t WHERE a = 'b'; -- comment",
]


@pytest.fixture(scope="module")
def minilm() -> TransformerEncoder:
    return real_model()


def test_vectors_equal_those_of_sentence_transformers(minilm: TransformerEncoder) -> None:
    from sentence_transformers import SentenceTransformer  # here: every process collects, and this one loads slowly

    reference = SentenceTransformer(str(FOLDER), device="cpu").encode(TEXTS)
    vectors = minilm.encode(minilm.tokenize(TEXTS))
    assert vectors.dtype == np.float32
    assert vectors.shape == (len(TEXTS), 384)
    for vector, expected in zip(vectors, reference, strict=True):
        assert cosine(vector, expected) > 0.99999


def test_a_text_gets_the_same_vector_alone_and_in_a_batch(minilm: TransformerEncoder) -> None:
    together = minilm.encode(minilm.tokenize(TEXTS))
    for text, vector in zip(TEXTS, together, strict=True):
        alone = minilm.encode(minilm.tokenize([text]))[0]
        assert cosine(alone, vector) > 0.9999


def test_vectors_are_not_normalised(minilm: TransformerEncoder) -> None:
    assert np.linalg.norm(minilm.encode(minilm.tokenize(["a"]))[0]) > 1.5


def test_text_that_looks_like_a_special_token_is_text(minilm: TransformerEncoder) -> None:
    separator, unknown, mask = 102, 100, 103
    (tokens,) = minilm.tokenize(["a [SEP] b [MASK] c [UNK] [PAD] [CLS]"])
    inner = list(tokens.ids)[1:-1]
    assert not {separator, unknown, mask, 0, 101} & set(inner)
    assert list(minilm.tokenize(["a [SEP] b"])[0].ids) != list(minilm.tokenize(["a b"])[0].ids)


@pytest.mark.parametrize(("words", "tokens", "truncated"), [(1, 3, False), (254, 256, False), (255, 256, True)])
def test_tokens_are_counted_with_special_ones_and_cut_at_the_limit(
    minilm: TransformerEncoder, words: int, tokens: int, truncated: bool
) -> None:
    (found,) = minilm.tokenize(["word " * words])
    assert (len(found), found.truncated) == (tokens, truncated)
    assert found.ids[-1] == 102


def test_padding_is_on_the_right_and_masked() -> None:
    batch = [Tokens(ids=[5, 6, 7], truncated=False), Tokens(ids=[8], truncated=False)]
    ids, mask = padded(batch, pad_id=1)
    assert ids.tolist() == [[5, 6, 7], [8, 1, 1]]
    assert mask.tolist() == [[1, 1, 1], [1, 0, 0]]


def test_pooling_ignores_padding() -> None:
    hidden = torch.tensor([[[1.0, 2.0], [3.0, 4.0], [99.0, 99.0]], [[5.0, 6.0], [7.0, 8.0], [9.0, 10.0]]])
    mask = torch.tensor([[1, 1, 0], [1, 1, 1]])
    assert mean(hidden, mask).tolist() == [[2.0, 3.0], [7.0, 8.0]]
    assert cls(hidden, mask).tolist() == [[1.0, 2.0], [5.0, 6.0]]
    assert last(hidden, mask).tolist() == [[3.0, 4.0], [9.0, 10.0]]


def test_hashing_gives_unit_vectors_that_depend_on_the_words() -> None:
    encoder = HashingEncoder(DIMENSION, max_tokens=4)
    vectors = encoder.encode(encoder.tokenize(["a b", "a b", "b a", "a b c d", "a b c d e", "  "]))
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1)
    assert np.array_equal(vectors[0], vectors[1])
    assert not np.array_equal(vectors[0], vectors[2])
    assert np.array_equal(vectors[3], vectors[4])


def test_a_frame_gives_the_embedding_back(minilm: TransformerEncoder) -> None:
    (tokens,) = minilm.tokenize(["word " * 300])
    vector = minilm.encode([tokens])[0]
    frame = EmbeddedText(vector, len(tokens), tokens.truncated).to_frame()
    found = EmbeddedText.from_frame(frame, 384)
    assert found is not None
    assert np.array_equal(found.vector, vector)
    assert (found.tokens, found.truncated) == (256, True)
    assert EmbeddedText.from_frame(frame[:-1] + b"\x7f", 384) is None
