"""Settings of a model folder that change vectors or their ranking, and that this service does not follow.

The service refuses each by its name: without a word, such a model would give other vectors than its library.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from embedding_project.model_sources.model_folder import (
    TEXT_SETTINGS,
    ModelFilesError,
    read_json,
    read_object,
    read_optional,
)

SENTENCE_TRANSFORMER, CROSS_ENCODER = "SentenceTransformer", "CrossEncoder"
_LAYERS = ("Transformer", "Pooling", "Normalize")
_LIBRARY = "sentence_transformers."
_TEXT_FILE: Mapping[str, tuple[object, ...]] = {
    "do_lower_case": (True, False, None),
    "transformer_task": ("feature-extraction", None),
    "module_output_name": ("token_embeddings", None),
    "processing_kwargs": ({}, None),
    "query_length": (None,),
    "document_length": (None,),
    "query_expansion": (None,),
    "tokenizer_name_or_path": ("", None),
}
"""Setting in sentence_bert_config.json -> the values that this service follows, or that change nothing."""
_SAME_FOR_TEXTS = {"max_seq_length", "unpad_inputs", "modality_config"}
_ARGUMENTS = ("model_args", "tokenizer_args", "config_args", "model_kwargs", "processor_kwargs", "config_kwargs")
_HARMLESS_ARGUMENTS = {"torch_dtype", "dtype", "attn_implementation"}
_RANKED_ALIKE = {"dot", "dot_score", "euclidean"}
"""Similarities that give unit vectors the same order as their cosine."""


def check_settings(folder: Path, kind: str = SENTENCE_TRANSFORMER) -> None:
    """Raises ModelFilesError for the first setting that this service does not follow in a model of `kind`, as
    sentence-transformers calls it."""
    unit = "Normalize" in (layers(folder) or {})
    for name in TEXT_SETTINGS:
        _check_text_settings(name, read_optional(folder / name))
    own = read_optional(folder / "config_sentence_transformers.json")
    if own.get("model_type") not in (None, kind):
        told = f"a model of type {own['model_type']} is not supported"
        raise ModelFilesError(f"config_sentence_transformers.json: {told}")
    _check_similarity(own, unit=unit)
    config = read_object(folder / "config.json")
    if config.get("quantization_config"):
        raise ModelFilesError("config.json: quantization_config is not supported")
    if config.get("is_encoder_decoder"):
        raise ModelFilesError("config.json: is_encoder_decoder is not supported")


def layers(folder: Path) -> dict[str, str] | None:
    """Kind of each layer in modules.json -> its folder, in the order of the file; None without such a file.

    Raises ModelFilesError.
    """
    path = folder / "modules.json"
    if not path.exists():
        return None
    found: list[tuple[str, str]] = []
    modules = read_json(path)
    if not isinstance(modules, list) or not all(isinstance(module, dict) for module in modules):
        raise ModelFilesError("modules.json is not a list of objects")
    for module in modules:
        name = str(module.get("type", ""))
        kind = name.rpartition(".")[2]
        # Without a dense or scaling layer after the pooling, the vectors would be others.
        if kind not in _LAYERS or not name.startswith(_LIBRARY):
            raise ModelFilesError(f"modules.json has a layer that is not supported: {kind or name}")
        if kind == "Transformer" and module.get("path"):
            raise ModelFilesError("modules.json puts the Transformer into a folder of its own, which is not supported")
        if module.get("kwargs"):
            raise ModelFilesError(f"modules.json gives {kind} arguments (kwargs), which is not supported")
        found.append((kind, str(module.get("path", ""))))
    kinds = [kind for kind, _ in found]
    if kinds[:1] != ["Transformer"] or kinds != [layer for layer in _LAYERS if layer in kinds]:
        raise ModelFilesError(f"modules.json has the layers {', '.join(kinds)}; supported are {', '.join(_LAYERS)}")
    return dict(found)


def text_settings(folder: Path) -> dict[str, Any]:
    """How texts are cut and changed before the model reads them. Raises ModelFilesError."""
    return next((read_object(folder / name) for name in TEXT_SETTINGS if (folder / name).exists()), {})


def lowercases(folder: Path) -> bool:
    """Whether texts are put into lower case before the tokenizer reads them. Raises ModelFilesError."""
    return text_settings(folder).get("do_lower_case") is True


def _check_text_settings(name: str, settings: Mapping[str, Any]) -> None:
    for key, value in settings.items():
        if key in _SAME_FOR_TEXTS:
            continue
        if key in _ARGUMENTS:
            refused = sorted(set(value or {}) - _HARMLESS_ARGUMENTS)
            if refused:
                raise ModelFilesError(f"{name}: {key} has {', '.join(refused)}, which is not supported")
        elif key not in _TEXT_FILE:
            raise ModelFilesError(f"{name}: {key} is not known")
        elif value not in _TEXT_FILE[key]:
            raise ModelFilesError(f"{name}: {key} is {value!r}, which is not supported")


def _check_similarity(own: Mapping[str, Any], *, unit: bool) -> None:
    similarity = own.get("similarity_fn_name")
    if similarity not in (None, "cosine", "cos_sim") and not (unit and similarity in _RANKED_ALIKE):
        raise ModelFilesError(
            f"config_sentence_transformers.json: similarity_fn_name is {similarity!r}; searches rank by cosine"
        )
