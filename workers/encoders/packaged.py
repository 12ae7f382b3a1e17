"""The packaged model, loaded without the transformers library, whose import takes longer than the rest of a start.

Every load of a model compares vectors with those of the library. For this model the library computed them once: they
are in a file beside this one. When they differ, the model is loaded with the library, like every other.
"""

import logging
from importlib.resources import files
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import torch
from safetensors.torch import load_file
from tokenizers import Tokenizer

from embedding_project.contracts.model_spec import PACKAGED_MODEL, ModelSpec, Runtime
from embedding_project.contracts.vectors import Vector
from embedding_project.model_sources.folder_check import check_folder
from embedding_project.model_sources.folder_settings import lowercases
from embedding_project.model_sources.model_folder import read_object
from embedding_project.model_sources.weights import WEIGHTS
from workers.encoders.base import ModelError
from workers.encoders.linear import multiplies_bf16
from workers.encoders.transformer import (
    DTYPES,
    LEAST_COSINE,
    Check,
    HasBf16,
    TransformerEncoder,
    bytes_of,
    check_size,
    check_vectors,
    measured,
    packed_encode,
    plain_text_tokenizer,
    probe_texts,
    tokenized,
)

VECTORS = Path(__file__).with_name("packaged_vectors.npy")
"""The library's vectors of `probe_texts`, shape (texts, dimension). `python -m tests.packaged_vectors` makes them."""
_COMPUTED_ALIKE = ("type", "artifact", "dimension", "pooling", "max_tokens", "query_prompt", "document_prompt")
_ABSENT = {"is_decoder": False, "add_cross_attention": False}
"""What the library assumes where config.json is silent."""
logger = logging.getLogger(__name__)


def load_packaged(
    spec: ModelSpec,
    folder: Path,
    device: torch.device,
    most_bytes: int | None = None,
    *,
    vectors: Path | None = None,
    least_cosine: float = LEAST_COSINE,
    has_bf16: HasBf16 = multiplies_bf16,
) -> TransformerEncoder | None:
    """The encoder; None for another model, and where only the library may compute this one.

    Raises ModelError and ModelFilesError. `most_bytes`: the most memory for its weights.
    """
    alike = all(getattr(spec, name) == getattr(PACKAGED_MODEL, name) for name in _COMPUTED_ALIKE)
    if not alike or spec.runtime is Runtime.TRANSFORMERS or spec.dtype not in DTYPES or device.type != "cpu":
        return None
    check_size(spec, check_folder(folder, spec.dimension), device, most_bytes)
    if lowercases(folder):
        return None
    try:
        bare = plain_text_tokenizer(Tokenizer.from_file(str(folder / "tokenizer.json")), spec.max_tokens, "right")
        check = _check_with(bare, vectors, spec.max_tokens, least_cosine)
        config = SimpleNamespace(**{**_ABSENT, **read_object(folder / "config.json")})
        named = _weights(folder)
        encode = packed_encode(spec, config, named, device, check, has_bf16)
        return measured(TransformerEncoder(bare, encode, spec, padded=False, memory_bytes=bytes_of(named)))
    except (ModelError, KeyError, AttributeError) as error:
        logger.warning("the packaged model is loaded with the library: %s: %s", type(error).__name__, error)
        return None


def _check_with(bare: Tokenizer, vectors: Path | None, max_tokens: int, least_cosine: float) -> Check:
    wanted: Vector = _own_vectors() if vectors is None else np.load(vectors)
    batch = tokenized(bare, probe_texts(max_tokens))
    return lambda encode: check_vectors(encode, batch, list(wanted), least_cosine)


def _own_vectors() -> Vector:
    """Not by their path: Spark's executors run this code from a zip."""
    with (files("workers.encoders") / VECTORS.name).open("rb") as file:
        found: Vector = np.load(file)
    return found


def _weights(folder: Path) -> dict[str, torch.Tensor]:
    stored = load_file(folder / WEIGHTS)
    return {name: tensor.float() for name, tensor in stored.items() if tensor.is_floating_point()}
