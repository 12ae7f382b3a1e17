"""A check whether the files of a model may be loaded.

A model folder is data, never code: weights in safetensors, a fast tokenizer, no classes of its own. All checks come
before a library reads a file, so that a refusal names its reason and costs nothing.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from embedding_project.model_sources.folder_settings import SENTENCE_TRANSFORMER, check_settings
from embedding_project.model_sources.model_folder import ModelFilesError, read_object
from embedding_project.model_sources.weights import WEIGHTS, WEIGHTS_INDEX, StoredTensor, stored_tensors

_PICKLED = ("*.bin", "*.pt", "*.pth", "*.pkl", "*.ckpt")
_MAX_COUNT = 1_000_000
_COUNTED = ("layer", "expert", "label")
"""Settings with such names, and names with num_ or n_ in front: the library may make lists of that length at once."""


def check_folder(
    folder: Path, dimension: int | None = None, kind: str = SENTENCE_TRANSFORMER
) -> dict[str, StoredTensor]:
    """The tensors of a model that may be loaded, and has `dimension` if that is given; `kind` as of
    `check_settings`. Raises ModelFilesError."""
    if not any((folder / name).exists() for name in (WEIGHTS, WEIGHTS_INDEX)):
        pickled = any(next(folder.glob(pattern), None) for pattern in _PICKLED)
        reason = "the weights are pickled; only safetensors are loaded" if pickled else f"no {WEIGHTS}"
        raise ModelFilesError(reason)
    if (folder / "adapter_config.json").exists():
        raise ModelFilesError("adapters are not supported; merge the adapter into the weights")
    config = read_object(folder / "config.json")
    for name, content in (
        ("config.json", config),
        ("tokenizer_config.json", read_object(folder / "tokenizer_config.json")),
        ("tokenizer.json", read_object(folder / "tokenizer.json")),
    ):
        if "auto_map" in content:
            raise ModelFilesError(f"{name} asks for code of its own (auto_map)")
    declared = config.get("hidden_size")
    if dimension is not None and declared is not None and declared != dimension:
        raise ModelFilesError(f"the model has {declared} dimensions, the registry says {dimension}")
    for key, count in _counts(config):
        if count > _MAX_COUNT:
            raise ModelFilesError(f"config.json says {key}: {count}, which no model has")
    check_settings(folder, kind)
    return stored_tensors(folder)


def _counts(config: Mapping[str, Any]) -> Iterator[tuple[str, int]]:
    for key, value in config.items():
        if isinstance(value, dict):
            yield from _counts(value)
        elif isinstance(value, int) and (key.startswith(("num_", "n_")) or any(part in key for part in _COUNTED)):
            yield key, value
