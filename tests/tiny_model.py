"""Files of a BERT with seeded weights and the vocabulary of the packaged model, made without torch."""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save

from embedding_project.contracts.model_spec import PACKAGED_MODEL
from embedding_project.model_sources.model_folder import model_folder

WIDTH = 32
VOCABULARY = 30_522
TOKENIZER = ("tokenizer.json", "tokenizer_config.json")


def tiny_model(
    *, layers: int = 1, positions: int = 32, intermediate: int = 32, spread: float = 1.0
) -> dict[str, bytes]:
    """File name -> content. `spread`: of the weights; a wide one makes differences between texts large."""
    config = {
        "model_type": "bert",
        "architectures": ["BertModel"],
        "hidden_size": WIDTH,
        "num_hidden_layers": layers,
        "num_attention_heads": 2,
        "intermediate_size": intermediate,
        "max_position_embeddings": positions,
        "vocab_size": VOCABULARY,
        "type_vocab_size": 2,
        "hidden_act": "gelu",
        "layer_norm_eps": 1e-12,
        "pad_token_id": 0,
    }
    random = np.random.default_rng(7)
    weights = {
        name: (random.normal(0, spread, shape) if len(shape) > 1 else _plain(name, shape)).astype(np.float32)
        for name, shape in _shapes(layers, positions, intermediate)
    }
    source = model_folder(PACKAGED_MODEL.artifact, Path("models"))
    return {
        "config.json": json.dumps(config).encode(),
        "model.safetensors": save(weights, {"format": "pt"}),
        **{name: (source / name).read_bytes() for name in TOKENIZER},
    }


def repository_files() -> dict[str, bytes]:
    """A tiny model as a hub has it, beside files that no download may take."""
    return {
        **tiny_model(),
        "tokenizer_config.json": json.dumps({"tokenizer_class": "BertTokenizer", "model_max_length": 32}).encode(),
        "1_Pooling/config.json": json.dumps({"pooling_mode": "cls"}).encode(),
        "pytorch_model.bin": b"a pickle",
        "modeling_tiny.py": b"raise SystemExit",
        "onnx/config.json": b"{}",
    }


def write_model(folder: Path, files: dict[str, bytes]) -> Path:
    folder.mkdir(parents=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return folder


def _plain(name: str, shape: tuple[int, ...]) -> NDArray[np.float64]:
    return np.ones(shape) if name.endswith("LayerNorm.weight") else np.zeros(shape)


def _shapes(layers: int, positions: int, intermediate: int) -> Iterator[tuple[str, tuple[int, ...]]]:
    tables = {"word_embeddings": VOCABULARY, "position_embeddings": positions, "token_type_embeddings": 2}
    for name, rows in tables.items():
        yield f"embeddings.{name}.weight", (rows, WIDTH)
    yield from _pair("embeddings.LayerNorm", WIDTH)
    for number in range(layers):
        layer = f"encoder.layer.{number}"
        for part in ("self.query", "self.key", "self.value", "output.dense"):
            yield from _pair(f"{layer}.attention.{part}", WIDTH, WIDTH)
        yield from _pair(f"{layer}.attention.output.LayerNorm", WIDTH)
        yield from _pair(f"{layer}.intermediate.dense", intermediate, WIDTH)
        yield from _pair(f"{layer}.output.dense", WIDTH, intermediate)
        yield from _pair(f"{layer}.output.LayerNorm", WIDTH)
    yield from _pair("pooler.dense", WIDTH, WIDTH)


def _pair(name: str, *shape: int) -> Iterator[tuple[str, tuple[int, ...]]]:
    yield f"{name}.weight", shape
    yield f"{name}.bias", shape[:1]
