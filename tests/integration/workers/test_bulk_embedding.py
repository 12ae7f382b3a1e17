"""Texts of bulk jobs to vectors in one process: equal ones once, the bad ones alone, and stopped between steps."""

import itertools
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
import torch

from bulk_ingest.embedded_texts import EmbeddingStopped, ModelUnusable
from bulk_ingest.embedding import CPU_STEPS, TextEmbedder, load_embedder, own_embedder
from embedding_project.config import load_config
from embedding_project.contracts.vectors import Vector
from tests.unit.workers.builders import DIMENSION, HASHING, MINILM, RecordingEncoder, cosine
from workers.encoders.base import ModelAway, Tokens
from workers.encoders.hashing import HashingEncoder
from workers.tickets import EMPTY_INPUT, MODEL_ERROR

TEXTS = [f"text {number} " + "word " * (number % 9) for number in range(100)]


class Away(HashingEncoder):
    """Cannot be used for the first steps."""

    def __init__(self, steps: int) -> None:
        super().__init__(DIMENSION, HASHING.max_tokens)
        self.away_for = steps

    def encode(self, batch: Sequence[Tokens]) -> Vector:
        self.away_for -= 1
        if self.away_for >= 0:
            raise ModelAway("no answer")
        return super().encode(batch)


def test_every_text_has_its_own_vector_of_unit_length() -> None:
    encoder = RecordingEncoder()
    found = TextEmbedder(HASHING, encoder).embed([*TEXTS, *reversed(TEXTS)])
    alone = [encoder.encode(encoder.tokenize([text]))[0] for text in TEXTS]
    np.testing.assert_allclose(found.vectors, [*alone, *reversed(alone)], atol=1e-6)
    assert set(found.errors) == {""}


def test_equal_texts_are_computed_once_and_the_longest_first() -> None:
    encoder = RecordingEncoder()
    steps = replace(CPU_STEPS, first_tokens=20, least_tokens=20, most_tokens=20)
    TextEmbedder(HASHING, encoder, steps).embed([*TEXTS, *TEXTS])
    assert sum(encoder.steps) == len(TEXTS)
    # Texts have 2 to 10 words: 2 of the longest fit into a step, and many of the shortest.
    assert encoder.steps[0] == 2 < encoder.steps[-2]


def test_a_text_on_which_the_model_fails_is_alone_with_its_error() -> None:
    bad = {"text 3", "text 77", "nan"}
    encoder = RecordingEncoder(lambda text: text in bad)
    texts = [f"text {number}" for number in range(100)] + ["nan"]
    found = TextEmbedder(HASHING, encoder).embed(texts)
    assert {text for text, code in zip(texts, found.errors, strict=True) if code == MODEL_ERROR} == bad
    assert [bool(vector.any()) for vector in found.vectors] == [text not in bad for text in texts]


def test_the_document_prompt_is_put_in_front() -> None:
    prompted = replace(HASHING, document_prompt="passage: ")
    encoder = RecordingEncoder()
    (vector,) = TextEmbedder(prompted, encoder).embed(["a text"]).vectors
    assert cosine(vector, encoder.encode(encoder.tokenize(["passage: a text"]))[0]) == pytest.approx(1)


def test_it_stops_between_two_steps() -> None:
    encoder = RecordingEncoder()
    left = itertools.count(3, -1)
    steps = replace(CPU_STEPS, first_tokens=20, least_tokens=20, most_tokens=20)
    with pytest.raises(EmbeddingStopped):
        TextEmbedder(HASHING, encoder, steps).embed(TEXTS, lambda: next(left) > 0)
    assert len(encoder.steps) == 2  # the first question is that before the texts are tokenised


def test_a_model_that_is_away_for_a_while_costs_time_only() -> None:
    found = TextEmbedder(HASHING, Away(1)).embed(TEXTS)
    assert set(found.errors) == {""}


def test_a_model_that_stays_away_is_no_fault_of_the_texts() -> None:
    with pytest.raises(ModelUnusable, match="no answer"):
        TextEmbedder(HASHING, Away(10**6)).embed(TEXTS, away_seconds=0.0)


def test_a_model_that_cannot_be_loaded_is_named() -> None:
    with pytest.raises(ModelUnusable, match="'minilm' cannot be loaded"):
        load_embedder(replace(MINILM, artifact="nowhere"), load_config())


def test_the_packaged_model_is_loaded_once_and_computes_in_one_thread() -> None:
    threads = torch.get_num_threads()
    try:
        embedder = own_embedder(MINILM)
        assert own_embedder(MINILM) is embedder
        assert torch.get_num_threads() == 1
        # Of a variation selector alone the model reads nothing.
        found = embedder.embed(["a red fox", "\ufe0f", "the red fox"])
        assert list(found.errors) == ["", EMPTY_INPUT, ""]
        assert cosine(found.vectors[0], found.vectors[2]) > 0.8
        assert embedder.rate(["a red fox"]) > 0
    finally:
        torch.set_num_threads(threads)
