"""The packaged model is loaded without the transformers library, and gives what the library gives."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from embedding_project.contracts.model_spec import PACKAGED_MODEL, ModelSpec, Runtime
from embedding_project.model_sources.model_folder import model_folder
from tests.packaged_vectors import library_vectors
from tests.unit.workers.builders import cosine
from workers.encoders.base import ModelError
from workers.encoders.library import transformers_library
from workers.encoders.packaged import VECTORS, load_packaged
from workers.encoders.transformer import TransformerEncoder, load_transformer

CPU = torch.device("cpu")
FOLDER = model_folder(PACKAGED_MODEL.artifact, Path("models"))
TEXTS = ["a", "Grüße aus München: STRASSE, naïve, 日本語, 🎉", "a [SEP] b [MASK]", "command line tool for " * 100, ""]


@pytest.fixture(scope="module")
def packaged() -> TransformerEncoder:
    asked = transformers_library.cache_info()
    encoder = load_packaged(PACKAGED_MODEL, FOLDER, CPU)
    assert transformers_library.cache_info() == asked
    assert encoder is not None
    return encoder


@pytest.fixture(scope="module")
def library() -> TransformerEncoder:
    return load_transformer(PACKAGED_MODEL, FOLDER, CPU)


def test_the_stored_vectors_are_those_of_the_library() -> None:
    for stored, computed in zip(np.load(VECTORS), library_vectors(), strict=True):
        assert cosine(stored, computed) > 0.999999


def test_texts_are_read_and_computed_as_by_the_library(
    packaged: TransformerEncoder, library: TransformerEncoder
) -> None:
    assert packaged._tokenizer.to_str() == library._tokenizer.to_str()
    assert packaged.tokenize(TEXTS) == library.tokenize(TEXTS)
    assert np.array_equal(packaged.encode(packaged.tokenize(TEXTS)), library.encode(library.tokenize(TEXTS)))
    assert packaged.padded is library.padded is False
    assert (packaged.dimension, packaged.memory_bytes) == (384, library.memory_bytes)
    assert packaged.first_speed > 0


@pytest.mark.parametrize(
    "spec",
    [
        replace(PACKAGED_MODEL, runtime=Runtime.TRANSFORMERS),
        replace(PACKAGED_MODEL, artifact="family/small"),
        replace(PACKAGED_MODEL, pooling="cls"),
        replace(PACKAGED_MODEL, max_tokens=100),
        replace(PACKAGED_MODEL, dtype="int3"),
    ],
    ids=["the library is asked for", "another model", "another pooling", "another length", "no such type"],
)
def test_every_other_model_is_left_to_the_library(spec: ModelSpec) -> None:
    assert load_packaged(spec, FOLDER, CPU) is None


def test_other_vectors_than_the_stored_ones_leave_it_to_the_library(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    others = tmp_path / "others.npy"
    np.save(others, np.load(VECTORS) * np.linspace(0, 1, 384, dtype=np.float32))
    assert load_packaged(PACKAGED_MODEL, FOLDER, CPU, vectors=others) is None
    assert "is loaded with the library" in caplog.text


def test_it_takes_no_more_memory_than_it_may() -> None:
    with pytest.raises(ModelError, match="are allowed"):
        load_packaged(PACKAGED_MODEL, FOLDER, CPU, most_bytes=2**20)
