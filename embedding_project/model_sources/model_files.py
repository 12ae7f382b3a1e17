"""The description of a model in its files: pooling, prompts, lengths, as sentence-transformers writes them.

This module guesses nothing. The person who registers the model gives the rest, and may change all of it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from embedding_project.contracts.limits import MAX_TEXT_BYTES
from embedding_project.model_sources.folder_settings import SENTENCE_TRANSFORMER, check_settings, layers, text_settings
from embedding_project.model_sources.model_folder import ModelFilesError, read_object, read_optional

_OLD_MODE = "pooling_mode_"
_POOLINGS = {"mean": "mean", "mean_tokens": "mean", "cls": "cls", "cls_token": "cls", "lasttoken": "last"}
"""Name in a pooling configuration, old or new -> name in the registry."""
_POSITIONS_AFTER_PADDING = frozenset({"roberta", "xlm-roberta", "camembert", "mpnet"})
"""Families that count positions from the one after the padding."""
_DOCUMENT_PROMPTS = ("document", "passage", "corpus")


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelDescription:
    """The values in the files; None where the files have none."""

    dimension: int | None
    pooling: str | None
    """mean, cls or last."""
    normalize: bool | None
    query_prompt: str | None
    document_prompt: str | None
    max_tokens: int | None
    min_dimension: int | None
    """The smallest dimension that the model was trained to be cut to."""


def describe(folder: Path, kind: str = SENTENCE_TRANSFORMER) -> ModelDescription:
    """The description in `folder`. Raises ModelFilesError for damage, and for settings that change vectors."""
    check_settings(folder, kind)
    config = read_object(folder / "config.json")
    modules = layers(folder)
    pooling = read_optional(folder / ((modules or {}).get("Pooling") or "1_Pooling") / "config.json")
    own = read_optional(folder / "config_sentence_transformers.json")
    query_prompt, document_prompt = _prompts(own)
    return ModelDescription(
        dimension=_dimension(pooling, config),
        pooling=_pooling(pooling),
        normalize=None if modules is None else "Normalize" in modules,
        query_prompt=query_prompt,
        document_prompt=document_prompt,
        max_tokens=_max_tokens(folder, config),
        min_dimension=_min_dimension(own) or _min_dimension(config),
    )


def _positive(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else None


def _dimension(pooling: Mapping[str, Any], config: Mapping[str, Any]) -> int | None:
    candidates = (
        pooling.get("word_embedding_dimension"),
        pooling.get("embedding_dimension"),
        config.get("hidden_size"),
        config.get("dim"),
        config.get("d_model"),
    )
    return next((found for found in map(_positive, candidates) if found), None)


def _pooling(pooling: Mapping[str, Any]) -> str | None:
    if not pooling:
        return None
    if pooling.get("include_prompt") is False:
        raise ModelFilesError("the pooling leaves the prompt out (include_prompt), which is not supported")
    modes = _modes(pooling)
    known = _POOLINGS.get(modes[0]) if len(modes) == 1 else None
    if known is None:
        raise ModelFilesError(f"the pooling is {' with '.join(modes) or 'none'}; supported are mean, cls and lasttoken")
    return known


def _modes(pooling: Mapping[str, Any]) -> list[str]:
    mode = pooling.get("pooling_mode")
    if isinstance(mode, list):
        return [str(name) for name in mode]
    if mode is not None:
        return [str(mode)]
    return [name.removeprefix(_OLD_MODE) for name, on in pooling.items() if name.startswith(_OLD_MODE) and on is True]


def _prompts(own: Mapping[str, Any]) -> tuple[str | None, str | None]:
    """Prompts of queries and of documents, under the names of sentence-transformers."""
    prompts, default_name = own.get("prompts") or {}, own.get("default_prompt_name")
    if not isinstance(prompts, dict) or not all(isinstance(text, str) for text in prompts.values()):
        raise ModelFilesError("the prompts in config_sentence_transformers.json are not texts by name")
    if default_name is not None and default_name not in prompts:
        raise ModelFilesError(f"default_prompt_name names a prompt that is not there: {default_name}")
    default = prompts.get(default_name)
    document = next((prompts[name] for name in _DOCUMENT_PROMPTS if name in prompts), default)
    return prompts.get("query", default), document


def _max_tokens(folder: Path, config: Mapping[str, Any]) -> int | None:
    tokenizer = read_optional(folder / "tokenizer_config.json")
    found = [_positive(text_settings(folder).get("max_seq_length")), _tokenizer_length(tokenizer), _positions(config)]
    known = [length for length in found if length]
    return min(*known, MAX_TEXT_BYTES) if known else None


def _tokenizer_length(tokenizer: Mapping[str, Any]) -> int | None:
    # A tokenizer without a limit writes a number of thirty digits.
    length = _positive(tokenizer.get("model_max_length"))
    return length if length and length < 10**9 else None


def _positions(config: Mapping[str, Any]) -> int | None:
    positions = _positive(config.get("max_position_embeddings"))
    if positions and config.get("model_type") in _POSITIONS_AFTER_PADDING:
        return positions - 2
    return positions


def _min_dimension(config: Mapping[str, Any]) -> int | None:
    dimensions = config.get("matryoshka_dimensions") or config.get("matryoshka_dims")
    if not isinstance(dimensions, list):
        return None
    return min((dimension for dimension in map(_positive, dimensions) if dimension), default=None)
