"""Cross-encoders of the transformers library: a query and a text are read together, and get one score.

The folder is data, never code, as that of every model; the head must be in its weights.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from embedding_project.contracts.model_spec import ModelSpec
from embedding_project.contracts.vectors import Vector
from embedding_project.model_sources.folder_check import check_folder
from embedding_project.model_sources.folder_settings import CROSS_ENCODER
from workers.encoders.base import LONGEST_COMPUTED_SECONDS, DeviceLost, ModelError, Tokens
from workers.encoders.library import transformers_library
from workers.encoders.padded import padded
from workers.encoders.skeleton import check_fits
from workers.encoders.transformer import (
    DTYPES,
    TRUSTED_SOURCE,
    bytes_of,
    check_size,
    check_vocabulary,
    measured,
    plain_text_tokenizer,
    weights_dtype,
)

_PROBE = ("what sleeps in a den?", "a red fox sleeps in its den")


class CrossEncoder:
    """Its vectors have one number, the score as the model gives it."""

    dimension = 1
    padded = True
    longest_step_seconds = LONGEST_COMPUTED_SECONDS

    def __init__(self, tokenizer: Any, model: Any, pad_id: int, device: torch.device, *, reads_types: bool) -> None:
        """`tokenizer` is bare, cuts and does not pad."""
        self._tokenizer = tokenizer
        self._model = model
        self._pad_id = pad_id
        self._device = device
        self._reads_types = reads_types
        self.memory_bytes = bytes_of(model.state_dict())
        self.first_speed = 0.0

    def tokenize(self, texts: Sequence[str]) -> list[Tokens]:
        return self.tokenize_pairs([(text, text) for text in texts])

    def tokenize_pairs(self, pairs: Sequence[tuple[str, str]]) -> list[Tokens]:
        return [
            Tokens(ids=encoding.ids, types=encoding.type_ids, truncated=bool(encoding.overflowing))
            for encoding in self._tokenizer.encode_batch(list(pairs))
        ]

    def encode(self, batch: Sequence[Tokens]) -> Vector:
        ids, mask = padded(batch, self._pad_id)
        inputs = {"input_ids": ids, "attention_mask": mask}
        if self._reads_types:
            types = np.zeros_like(ids)
            for row, tokens in enumerate(batch):
                types[row, : len(tokens)] = tokens.types
            inputs["token_type_ids"] = types
        try:
            with torch.inference_mode():
                given = {name: torch.from_numpy(values).to(self._device) for name, values in inputs.items()}
                scores: Vector = self._model(**given).logits.float().cpu().numpy()
        except torch.OutOfMemoryError:
            raise
        except torch.AcceleratorError as error:
            raise DeviceLost(type(error).__name__) from error
        return scores


def load_cross_encoder(
    spec: ModelSpec, folder: Path, device: torch.device, most_bytes: int | None = None
) -> CrossEncoder:
    """The model in `folder`, checked and tried once. Raises ModelError, ModelFilesError, and the errors of the
    libraries."""
    if spec.dtype not in DTYPES:
        raise ModelError(f"dtype {spec.dtype} is not known")
    stored = check_folder(folder, kind=CROSS_ENCODER)
    check_size(spec, stored, device, most_bytes)
    library = transformers_library()
    config = library.AutoConfig.from_pretrained(folder, **TRUSTED_SOURCE)
    if config.num_labels != 1:
        raise ModelError(f"the model has {config.num_labels} labels; one score is needed")
    check_fits(config, stored)
    tokenizer = library.AutoTokenizer.from_pretrained(folder, **TRUSTED_SOURCE)
    if spec.max_tokens > tokenizer.model_max_length:
        raise ModelError(f"max_tokens is {spec.max_tokens}, the tokenizer allows {tokenizer.model_max_length}")
    if not tokenizer.is_fast:
        raise ModelError("the tokenizer has no fast form")
    model = _load_weights(spec, folder, device)
    check_vocabulary(tokenizer, model)
    bare = plain_text_tokenizer(tokenizer.backend_tokenizer, spec.max_tokens, "right")
    reads_types = "token_type_ids" in tokenizer.model_input_names
    encoder = CrossEncoder(bare, model, tokenizer.pad_token_id or 0, device, reads_types=reads_types)
    _try(encoder, spec.max_tokens)
    return measured(encoder)


def _load_weights(spec: ModelSpec, folder: Path, device: torch.device) -> Any:
    model, found = transformers_library().AutoModelForSequenceClassification.from_pretrained(
        folder,
        **TRUSTED_SOURCE,
        use_safetensors=True,
        attn_implementation="sdpa",
        output_loading_info=True,
        dtype=weights_dtype(spec, device),
    )
    # The library fills missing weights with random numbers, the head of an embedding model above all.
    if found["missing_keys"]:
        missing = found["missing_keys"]
        raise ModelError(f"{len(missing)} of its weights are missing, such as {min(missing)}")
    return model.to(device).eval()


def _try(encoder: CrossEncoder, max_tokens: int) -> None:
    """A model with fewer positions than the registry says fails here, and not later."""
    query, text = _PROBE
    scores = encoder.encode(encoder.tokenize_pairs([_PROBE, (query, f"{text} " * max_tokens)]))
    if scores.shape != (2, 1):
        raise ModelError(f"the model gives {scores.shape[-1]} numbers for a pair")
    if not np.isfinite(scores).all():
        raise ModelError("the model gives numbers that are not finite")
