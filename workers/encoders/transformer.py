"""Embedding models of the transformers library, read from a folder of safetensors.

The tokenizer is used without its transformers wrapper, which changes shared state in every call. Several threads may
use the bare tokenizer after its set-up.
"""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, TypeVar

import numpy as np
import torch
from tokenizers.normalizers import Lowercase
from tokenizers.normalizers import Sequence as Normalizers
from torch import Tensor

from embedding_project.contracts.model_spec import ModelSpec, Runtime
from embedding_project.contracts.vectors import Vector
from embedding_project.model_sources.folder_check import check_folder
from embedding_project.model_sources.folder_settings import lowercases
from embedding_project.model_sources.weights import StoredTensor
from workers.encoders.base import LONGEST_COMPUTED_SECONDS, DeviceLost, ModelError, Tokens
from workers.encoders.library import transformers_library
from workers.encoders.linear import multiplies_bf16
from workers.encoders.packed import PackedEncoding
from workers.encoders.padded import PaddedEncoding
from workers.encoders.pooling import POOLINGS
from workers.encoders.skeleton import check_fits
from workers.encoders.vocabulary import TokenizerVocabulary

DTYPES = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}
TRUSTED_SOURCE = {"local_files_only": True, "trust_remote_code": False}
_PROBE_TOKENS = 512
"""A model with fewer positions than the registry says fails at this length when it is loaded, and not later."""
LEAST_COSINE = 0.9999
"""Between a vector of the transformers library and the same vector computed in another way."""
_PROBE_WORDS = ("a", "red", "fox", "sleeps", "in", "its", "den")
_UNUSED = "pooler."
logger = logging.getLogger(__name__)

Encode = Callable[[Sequence[Tokens]], Vector]
Check = Callable[[Encode], None]
"""Raises ModelError when vectors are not those of the library."""
HasBf16 = Callable[[torch.device], bool]
"""Whether a device has instructions for bf16."""


class HasSpeed(Protocol):
    first_speed: float

    def tokenize(self, texts: Sequence[str]) -> list[Tokens]: ...

    def encode(self, batch: Sequence[Tokens]) -> Vector: ...


class TransformerEncoder:
    longest_step_seconds = LONGEST_COMPUTED_SECONDS

    def __init__(self, tokenizer: Any, encode: Encode, spec: ModelSpec, *, padded: bool, memory_bytes: int) -> None:
        """`tokenizer` is bare, cuts and does not pad; `encode` computes vectors, and pads or not as `padded` says."""
        self.vocabulary = TokenizerVocabulary(tokenizer, spec.max_tokens)
        self._tokenizer = tokenizer
        self._encode = encode
        self._dimension = spec.dimension
        self._padded = padded
        self._memory_bytes = memory_bytes
        self.first_speed = 0.0

    @property
    def dimension(self) -> int:
        return self._dimension

    @property
    def memory_bytes(self) -> int:
        return self._memory_bytes

    @property
    def padded(self) -> bool:
        return self._padded

    def tokenize(self, texts: Sequence[str]) -> list[Tokens]:
        return tokenized(self._tokenizer, texts)

    def encode(self, batch: Sequence[Tokens]) -> Vector:
        try:
            return self._encode(batch)
        except torch.OutOfMemoryError:
            raise
        except torch.AcceleratorError as error:
            raise DeviceLost(type(error).__name__) from error


def tokenized(tokenizer: Any, texts: Sequence[str]) -> list[Tokens]:
    encodings = tokenizer.encode_batch_fast(list(texts))
    return [Tokens(ids=encoding.ids, truncated=bool(encoding.overflowing)) for encoding in encodings]


def load_transformer(
    spec: ModelSpec,
    folder: Path,
    device: torch.device,
    most_bytes: int | None = None,
    *,
    least_cosine: float = LEAST_COSINE,
    has_bf16: HasBf16 = multiplies_bf16,
) -> TransformerEncoder:
    """The model in `folder`, checked and tried once. Raises ModelError, ModelFilesError, and the errors of the
    libraries. `most_bytes`: the most memory for its weights."""
    if spec.pooling not in POOLINGS or spec.dtype not in DTYPES:
        raise ModelError(f"pooling {spec.pooling} or dtype {spec.dtype} is not known")
    stored = check_folder(folder, spec.dimension)
    check_size(spec, stored, device, most_bytes)
    library = transformers_library()
    config = library.AutoConfig.from_pretrained(folder, **TRUSTED_SOURCE)
    check_fits(config, stored)
    tokenizer = library.AutoTokenizer.from_pretrained(folder, **TRUSTED_SOURCE)
    if spec.max_tokens > tokenizer.model_max_length:
        raise ModelError(f"max_tokens is {spec.max_tokens}, the tokenizer allows {tokenizer.model_max_length}")
    model = _load_weights(spec, folder, device)
    check_vocabulary(tokenizer, model)
    _check_prompts(spec, tokenizer)
    if not tokenizer.is_fast:
        raise ModelError("the tokenizer has no fast form")
    bare = plain_text_tokenizer(tokenizer.backend_tokenizer, spec.max_tokens, tokenizer.truncation_side)
    if lowercases(folder):
        bare.normalizer = Normalizers([Lowercase(), *([bare.normalizer] if bare.normalizer else [])])
    named = model.state_dict()
    weights = bytes_of(named)
    padded = PaddedEncoding(model, POOLINGS[spec.pooling], tokenizer.pad_token_id or 0, device)
    reference = TransformerEncoder(bare, padded, spec, padded=True, memory_bytes=weights)
    _probe(reference, spec.max_tokens)
    # On a GPU, one call for each length costs more than padding does.
    if spec.runtime is Runtime.TRANSFORMERS or (spec.runtime is Runtime.AUTO and device.type != "cpu"):
        return measured(reference)
    try:
        check = check_with(reference, spec.max_tokens, least_cosine)
        packed = packed_encode(spec, config, named, device, check, has_bf16)
    except ModelError as error:
        if spec.runtime is Runtime.PACKED:
            raise
        logger.warning("model %s version %d runs with padding: %s", spec.model_id, spec.version, error)
        return measured(reference)
    return measured(TransformerEncoder(bare, packed, spec, padded=False, memory_bytes=weights))


Tried = TypeVar("Tried", bound=HasSpeed)


def measured(encoder: Tried) -> Tried:
    """The encoder with its speed: before its first batch, senders need to know how much text may wait."""
    (tokens,) = encoder.tokenize([" ".join(_PROBE_WORDS) * 8])
    batch = [tokens] * (_PROBE_TOKENS // len(tokens) or 1)
    began = time.perf_counter()
    encoder.encode(batch)
    encoder.first_speed = len(batch) * len(tokens) / (time.perf_counter() - began)
    return encoder


def packed_encode(
    spec: ModelSpec,
    config: Any,
    named: Mapping[str, Tensor],
    device: torch.device,
    check: Check,
    has_bf16: HasBf16 = multiplies_bf16,
) -> Encode:
    """The model without padding. Its products have the type of the registry, if that keeps the vectors. Raises
    ModelError. `config`: the settings of config.json as attributes; `named`: the weights."""

    def checked(products: torch.dtype) -> Encode:
        encode = PackedEncoding(config, named, POOLINGS[spec.pooling], device, products)
        check(encode)
        return encode

    dtype = weights_dtype(spec, device)
    if spec.dtype == "bf16" and dtype == torch.float32 and has_bf16(device):
        try:
            return checked(torch.bfloat16)
        except ModelError as error:
            logger.warning("model %s version %d is computed in fp32: %s", spec.model_id, spec.version, error)
    return checked(dtype)


def weights_dtype(spec: ModelSpec, device: torch.device) -> torch.dtype:
    # Most CPUs emulate half precision, at a hundredth of the speed; there only the products may be narrower.
    return DTYPES[spec.dtype] if device.type == "cuda" else torch.float32


def check_size(
    spec: ModelSpec, stored: Mapping[str, StoredTensor], device: torch.device, most_bytes: int | None
) -> None:
    needed = sum(tensor.numbers for tensor in stored.values()) * weights_dtype(spec, device).itemsize
    if most_bytes is not None and needed > most_bytes:
        raise ModelError(f"its weights take {needed / 2**20:.0f} MiB, {most_bytes / 2**20:.0f} MiB are allowed")


def bytes_of(named: Mapping[str, Tensor]) -> int:
    return sum(tensor.nbytes for tensor in named.values())


def check_vocabulary(tokenizer: Any, model: Any) -> None:
    # An id beyond the table fails on a CPU, and takes a GPU away from its process.
    highest, rows = max(tokenizer.get_vocab().values(), default=0), model.get_input_embeddings().num_embeddings
    if highest >= rows:
        raise ModelError(f"the tokenizer has ids up to {highest}, the weights have a row for {rows}")


def _check_prompts(spec: ModelSpec, tokenizer: Any) -> None:
    # The library reads special tokens in prompts, and so in texts of users. Here both are plain text.
    special = [token.content for token in tokenizer.added_tokens_decoder.values() if token.special]
    for prompt in (spec.query_prompt, spec.document_prompt):
        found = [content for content in special if content in prompt]
        if found:
            raise ModelError(f"the prompt {prompt!r} holds the special token {found[0]}, which is not supported")


def _load_weights(spec: ModelSpec, folder: Path, device: torch.device) -> Any:
    model, found = transformers_library().AutoModel.from_pretrained(
        folder,
        **TRUSTED_SOURCE,
        use_safetensors=True,
        attn_implementation="sdpa",
        output_loading_info=True,
        dtype=weights_dtype(spec, device),
    )
    # The library fills missing weights with random numbers. No code here uses the pooler.
    missing = [name for name in found["missing_keys"] if not name.startswith(_UNUSED)]
    if missing:
        raise ModelError(f"{len(missing)} of its weights are missing, such as {min(missing)}")
    return model.to(device).eval()


def probe_texts(max_tokens: int) -> list[str]:
    """Texts of many lengths, the longest cut at `max_tokens`."""
    lengths = sorted({1, 2, 7, 30, max_tokens // 2, max_tokens})
    return [" ".join(_PROBE_WORDS[place % 7] for place in range(length)) for length in lengths]


def check_with(reference: TransformerEncoder, max_tokens: int, least_cosine: float = LEAST_COSINE) -> Check:
    """Compares with the vectors that the reference gives for each text alone."""
    batch = reference.tokenize(probe_texts(max_tokens))
    wanted = [reference.encode([tokens])[0] for tokens in batch]
    return lambda encode: check_vectors(encode, batch, wanted, least_cosine)


def check_vectors(
    encode: Encode, batch: Sequence[Tokens], wanted: Sequence[Vector], least_cosine: float = LEAST_COSINE
) -> None:
    """Raises ModelError when `encode` gives other vectors than `wanted` for the texts of `batch` at once."""
    for tokens, vector, expected in zip(batch, encode(batch), wanted, strict=True):
        cosine = float(vector @ expected / (np.linalg.norm(vector) * np.linalg.norm(expected)))
        if not cosine >= least_cosine:
            raise ModelError(f"without padding, {len(tokens)} tokens give another vector: cosine {cosine:.6f}")


def plain_text_tokenizer(bare: Any, max_tokens: int, cut_side: str) -> Any:
    """`bare`, a tokenizer without its wrapper, set up so that it cuts at `max_tokens` and does not pad."""
    bare.encode_special_tokens = True  # "[SEP]" in a text is five characters, not the end of the text
    bare.no_padding()
    bare.enable_truncation(max_length=max_tokens, direction=cut_side)
    return bare


def _probe(encoder: TransformerEncoder, max_tokens: int) -> None:
    longest = min(max_tokens, _PROBE_TOKENS)
    (tokens,) = encoder.tokenize(["probe " * longest])
    vectors = encoder.encode([Tokens(ids=tokens.ids[:longest], truncated=False)])
    if vectors.shape != (1, encoder.dimension):
        raise ModelError(f"the model gives {vectors.shape[-1]} dimensions, the registry says {encoder.dimension}")
    if not np.isfinite(vectors).all():
        raise ModelError("the model gives numbers that are not finite")
