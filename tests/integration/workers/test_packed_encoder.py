"""Texts computed without padding have the vectors of the transformers library, in every company and length."""

from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file

from embedding_project.contracts.model_spec import Runtime
from embedding_project.contracts.vectors import Vector
from tests.integration.workers.real_model import CPU, FOLDER, real_model
from tests.tiny_model import TOKENIZER, VOCABULARY, WIDTH, tiny_model, write_model
from tests.unit.workers.builders import MINILM, cosine
from workers.encoders.base import ModelError, Tokens
from workers.encoders.library import transformers_library
from workers.encoders.linear import multiplies_bf16
from workers.encoders.packed import PackedBert, PackedEncoding
from workers.encoders.padded import PaddedEncoding
from workers.encoders.pooling import POOLINGS
from workers.encoders.transformer import LEAST_COSINE, check_with, load_transformer

LONGEST = 256
LENGTHS = st.lists(st.sampled_from([1, 2, 3, 9, 9, 14, 40, 97, LONGEST]), min_size=1, max_size=4)
SEEDED = replace(MINILM, dimension=32, max_tokens=64)


@cache
def minilm() -> Any:
    return transformers_library().AutoModel.from_pretrained(FOLDER, local_files_only=True).eval()


@cache
def seeded_files() -> dict[str, bytes]:
    return tiny_model(layers=3, positions=64, intermediate=64, spread=0.5)


@pytest.fixture(scope="module")
def seeded_bert(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = write_model(tmp_path_factory.mktemp("seeded") / "bert", seeded_files())
    return transformers_library().AutoModel.from_pretrained(folder, local_files_only=True).eval()


def texts_of(lengths: list[int], seed: int) -> list[Tokens]:
    random = np.random.default_rng(seed)
    return [Tokens(ids=random.integers(1_000, 30_000, length).tolist(), truncated=False) for length in lengths]


def assert_equal_to_reference(model: Any, pooling: str, batch: list[Tokens]) -> None:
    """Each against the library computing it alone, which pads nothing."""
    packed = PackedEncoding(model.config, model.state_dict(), POOLINGS[pooling], CPU, torch.float32)(batch)
    reference = PaddedEncoding(model, POOLINGS[pooling], 0, CPU)
    assert packed.dtype == np.float32
    for tokens, vector in zip(batch, packed, strict=True):
        assert cosine(vector, reference([tokens])[0]) >= LEAST_COSINE


@settings(max_examples=4)
@example(lengths=[9, LONGEST, 1], seed=0)
@given(lengths=LENGTHS, seed=st.integers(0, 99))
def test_the_real_model_gives_the_vectors_of_the_library(lengths: list[int], seed: int) -> None:
    assert_equal_to_reference(minilm(), "mean", texts_of(lengths, seed))


@pytest.mark.parametrize("pooling", sorted(POOLINGS))
@settings(max_examples=5)
@example(lengths=[64, 1, 5, 5, 33], seed=0)
@given(lengths=st.lists(st.integers(1, 64), min_size=1, max_size=8), seed=st.integers(0, 99))
def test_every_pooling_gives_the_vectors_of_the_library(
    seeded_bert: Any, pooling: str, lengths: list[int], seed: int
) -> None:
    assert_equal_to_reference(seeded_bert, pooling, texts_of(lengths, seed))


@settings(max_examples=4)
@example(lengths=[9, LONGEST, 1], seed=0)
@given(lengths=LENGTHS, seed=st.integers(0, 99))
def test_in_bf16_the_real_model_gives_nearly_the_vectors_of_the_library(lengths: list[int], seed: int) -> None:
    batch = texts_of(lengths, seed)
    reference = PaddedEncoding(minilm(), POOLINGS["mean"], 0, CPU)
    for tokens, vector in zip(batch, real_model("bf16").encode(batch), strict=True):
        assert cosine(vector, reference([tokens])[0]) >= LEAST_COSINE


def test_bf16_is_computed_where_the_processor_has_it_and_nowhere_else() -> None:
    batch = texts_of([3, 40], 1)
    exact = real_model().encode(batch)
    assert np.array_equal(real_model("bf16").encode(batch), exact) is not multiplies_bf16(CPU)
    assert np.array_equal(real_model("bf16", has_bf16=lambda _: False).encode(batch), exact)


def test_a_model_that_bf16_changes_too_much_is_computed_in_fp32() -> None:
    batch = texts_of([3, 40], 1)
    encoder = real_model("bf16", least_cosine=0.999995)
    assert encoder.padded is False
    assert np.array_equal(encoder.encode(batch), real_model().encode(batch))


@pytest.fixture
def bert_folder(tmp_path: Path) -> Path:
    return write_model(tmp_path / "bert", seeded_files())


@pytest.fixture
def other_folder(tmp_path: Path) -> Path:
    torch.manual_seed(6)
    library = transformers_library()
    shape = {"dim": 32, "n_layers": 1, "n_heads": 2, "hidden_dim": 64, "vocab_size": VOCABULARY}
    config = library.DistilBertConfig(max_position_embeddings=64, initializer_range=0.5, **shape)
    folder = write_model(tmp_path / "distilbert", {name: seeded_files()[name] for name in TOKENIZER})
    library.DistilBertModel(config).save_pretrained(folder)
    return folder


def test_weights_that_are_missing_are_refused_and_not_made_up(bert_folder: Path) -> None:
    path = bert_folder / "model.safetensors"
    weights = load_file(path)
    left_out = "encoder.layer.1.output.dense.weight"
    save_file({name: tensor for name, tensor in weights.items() if name != left_out}, path, {"format": "pt"})
    with pytest.raises(ModelError, match=f"1 of its weights are missing, such as {left_out}"):
        load_transformer(SEEDED, bert_folder, CPU)


def test_a_pooler_that_is_missing_is_not_missed(bert_folder: Path) -> None:
    path = bert_folder / "model.safetensors"
    kept = {name: tensor for name, tensor in load_file(path).items() if not name.startswith("pooler.")}
    save_file(kept, path, {"format": "pt"})
    assert load_transformer(SEEDED, bert_folder, CPU).dimension == 32


def test_a_model_of_another_kind_runs_with_padding_unless_it_must_not(other_folder: Path) -> None:
    assert load_transformer(SEEDED, other_folder, CPU).padded is True
    with pytest.raises(ModelError, match="type distilbert"):
        load_transformer(replace(SEEDED, runtime=Runtime.PACKED), other_folder, CPU)


@pytest.mark.parametrize(
    ("change", "reason"),
    [({"hidden_act": "relu"}, "activation"), ({"is_decoder": True}, "decoder")],
)
def test_a_bert_that_is_computed_otherwise_is_refused(change: dict[str, Any], reason: str) -> None:
    shape = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 8}
    with pytest.raises(ModelError, match=reason):
        PackedBert(transformers_library().BertConfig(**shape, **change), {}, torch.float32)


def test_vectors_that_differ_from_the_library_are_refused(bert_folder: Path) -> None:
    reference = load_transformer(replace(SEEDED, runtime=Runtime.TRANSFORMERS), bert_folder, CPU)
    assert reference.padded is True

    def wrong_for_long_texts(batch: Any) -> Vector:
        vectors = reference.encode(batch)
        vectors[max(range(len(batch)), key=lambda row: len(batch[row]))] *= np.linspace(0, 1, WIDTH, dtype=np.float32)
        return vectors

    with pytest.raises(ModelError, match="64 tokens give another vector"):
        check_with(reference, 64)(wrong_for_long_texts)
