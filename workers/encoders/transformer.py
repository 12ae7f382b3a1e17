"""Embedding models of the transformers library, read from a folder of safetensors.

The tokenizer is taken out of its transformers wrapper, which changes shared state in every call: set up once, the bare
one may be used by several threads.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import AutoModel, AutoTokenizer
from transformers.utils import logging as transformers_logging

from embedding_project.contracts.model_spec import ModelSpec
from embedding_project.contracts.vectors import Vector
from workers.encoders.artifact import check_folder
from workers.encoders.base import DeviceLost, ModelError, Tokens
from workers.encoders.pooling import POOLINGS
from workers.encoders.vocabulary import TokenizerVocabulary

_DTYPES = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}
_TRUSTED_SOURCE = {"local_files_only": True, "trust_remote_code": False}
_PROBE_TOKENS = 512
"""A model that has fewer positions than the registry says fails at this length, at the load and not under load."""

transformers_logging.disable_progress_bar()


class TransformerEncoder:
    def __init__(self, tokenizer: Any, model: Any, spec: ModelSpec, device: torch.device) -> None:
        self._tokenizer = _plain_text_tokenizer(tokenizer, spec.max_tokens)
        self.vocabulary = TokenizerVocabulary(self._tokenizer, spec.max_tokens)
        self._pad_id = tokenizer.pad_token_id or 0
        self._model = model
        self._pool = POOLINGS[spec.pooling]
        self._device = device
        self._dimension = spec.dimension

    @property
    def dimension(self) -> int:
        return self._dimension

    @property
    def padded(self) -> bool:
        return True

    def tokenize(self, texts: Sequence[str]) -> list[Tokens]:
        encodings = self._tokenizer.encode_batch_fast(list(texts))
        return [Tokens(ids=encoding.ids, truncated=bool(encoding.overflowing)) for encoding in encodings]

    def encode(self, batch: Sequence[Tokens]) -> Vector:
        ids, mask = padded(batch, self._pad_id)
        try:
            with torch.inference_mode():
                inputs = torch.from_numpy(ids).to(self._device)
                real = torch.from_numpy(mask).to(self._device)
                hidden = self._model(input_ids=inputs, attention_mask=real).last_hidden_state
                vectors: Vector = self._pool(hidden.float(), real).cpu().numpy()
        except torch.OutOfMemoryError:
            raise
        except torch.AcceleratorError as error:
            raise DeviceLost(type(error).__name__) from error
        return vectors


def padded(batch: Sequence[Tokens], pad_id: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Token ids and mask, shape (n, longest), padded on the right."""
    shape = (len(batch), max(map(len, batch)))
    ids = np.full(shape, pad_id, dtype=np.int64)
    mask = np.zeros(shape, dtype=np.int64)
    for row, tokens in enumerate(batch):
        ids[row, : len(tokens)] = tokens.ids
        mask[row, : len(tokens)] = 1
    return ids, mask


def load_transformer(spec: ModelSpec, folder: Path, device: torch.device) -> TransformerEncoder:
    """The model in `folder`, checked and tried once. Raises ModelError, and whatever the libraries raise."""
    if spec.pooling not in POOLINGS or spec.dtype not in _DTYPES:
        raise ModelError(f"pooling {spec.pooling} or dtype {spec.dtype} is not known")
    check_folder(folder, spec.dimension)
    tokenizer = AutoTokenizer.from_pretrained(folder, **_TRUSTED_SOURCE)
    if spec.max_tokens > tokenizer.model_max_length:
        raise ModelError(f"max_tokens is {spec.max_tokens}, the tokenizer allows {tokenizer.model_max_length}")
    model = AutoModel.from_pretrained(
        folder,
        **_TRUSTED_SOURCE,
        use_safetensors=True,
        attn_implementation="sdpa",
        # Half precision is emulated on most CPUs, at a hundredth of the speed.
        dtype=_DTYPES[spec.dtype] if device.type == "cuda" else torch.float32,
    )
    encoder = TransformerEncoder(tokenizer, model.to(device).eval(), spec, device)
    _probe(encoder, spec.max_tokens)
    return encoder


def _plain_text_tokenizer(tokenizer: Any, max_tokens: int) -> Any:
    if not tokenizer.is_fast:
        raise ModelError("the tokenizer has no fast form")
    bare = tokenizer.backend_tokenizer
    bare.encode_special_tokens = True  # "[SEP]" in a text is five characters, not the end of the text
    bare.no_padding()
    bare.enable_truncation(max_length=max_tokens)
    return bare


def _probe(encoder: TransformerEncoder, max_tokens: int) -> None:
    longest = min(max_tokens, _PROBE_TOKENS)
    (tokens,) = encoder.tokenize(["probe " * longest])
    vectors = encoder.encode([Tokens(ids=tokens.ids[:longest], truncated=False)])
    if vectors.shape != (1, encoder.dimension):
        raise ModelError(f"the model gives {vectors.shape[-1]} dimensions, the registry says {encoder.dimension}")
    if not np.isfinite(vectors).all():
        raise ModelError("the model gives numbers that are not finite")
