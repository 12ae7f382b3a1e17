"""A cross-encoder reads a query and a text together, from a folder that is checked like that of every model."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from embedding_project.contracts.model_spec import PACKAGED_MODEL, ModelSpec, ModelType
from embedding_project.model_sources.model_folder import ModelFilesError
from tests.cross_encoder import QUERIES, write_cross_encoder
from workers.compute import encode_each
from workers.encoders.base import ModelError
from workers.encoders.cross import CrossEncoder, load_cross_encoder

CPU = torch.device("cpu")
SPEC = replace(PACKAGED_MODEL, type=ModelType.CROSS_ENCODER, artifact="reranker", dimension=1, max_tokens=128)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_cross_encoder(tmp_path_factory.mktemp("models") / "reranker")


@pytest.fixture(scope="module")
def encoder(folder: Path) -> CrossEncoder:
    return load_cross_encoder(SPEC, folder, CPU)


def scores(encoder: CrossEncoder, *pairs: tuple[str, str]) -> list[float]:
    found = encode_each(encoder, encoder.tokenize_pairs(pairs))
    return [float(one[0]) for one in found if one is not None]


def test_the_score_says_whether_a_text_answers(encoder: CrossEncoder) -> None:
    for query, answer in QUERIES.items():
        found = scores(encoder, *((query, text) for text in QUERIES.values()))
        assert list(QUERIES.values())[int(np.argmax(found))] == answer
        assert sorted(found)[-2] < 0 < max(found)


def test_a_pair_has_the_same_score_alone_and_beside_longer_ones(encoder: CrossEncoder) -> None:
    pair, long = next(iter(QUERIES.items())), ("a query", "a text of many words " * 15)
    assert scores(encoder, pair) == pytest.approx([scores(encoder, pair, long)[0]], abs=1e-4)


def test_a_pair_that_is_too_long_is_cut_and_says_so(encoder: CrossEncoder) -> None:
    short, long_text, long_query = encoder.tokenize_pairs([("a", "b"), ("a", "b " * 500), ("a " * 500, "b")])
    assert [len(one) for one in (short, long_text, long_query)] == [5, 128, 128]
    assert [one.truncated for one in (short, long_text, long_query)] == [False, True, True]
    assert (set(short.types), len(long_text.types)) == ({0, 1}, 128)


def changed(folder: Path, tmp_path: Path, **settings: object) -> Path:
    copy = tmp_path / "changed"
    copy.mkdir(parents=True)
    for path in folder.iterdir():
        (copy / path.name).symlink_to(path)
    config = json.loads((folder / "config.json").read_text()) | settings
    (copy / "config.json").unlink()
    (copy / "config.json").write_text(json.dumps(config))
    return copy


def test_what_is_no_cross_encoder_is_refused_with_the_reason(folder: Path, tmp_path: Path) -> None:
    def refusal(where: Path, spec: ModelSpec = SPEC) -> str:
        with pytest.raises((ModelError, ModelFilesError)) as caught:
            load_cross_encoder(spec, where, CPU)
        return str(caught.value)

    three = {"0": "no", "1": "perhaps", "2": "yes"}
    assert "3 labels" in refusal(changed(folder, tmp_path, id2label=three))
    assert "max_tokens is 100000" in refusal(folder, replace(SPEC, max_tokens=100_000))
    assert "code of its own" in refusal(changed(folder, tmp_path / "own", auto_map={"AutoModel": "x.Y"}))
