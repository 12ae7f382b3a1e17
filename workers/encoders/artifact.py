"""Whether the files of a model may be loaded.

A model folder is data, never code: weights in safetensors, a fast tokenizer, no classes of its own. Everything is
checked before a file reaches the loader, so that a refusal names its reason.
"""

from pathlib import Path

from embedding_project.model_sources import model_folder as files
from embedding_project.model_sources.model_folder import ModelFilesError, read_modules, read_object
from workers.encoders.base import ModelError

_WEIGHTS = ("model.safetensors", "model.safetensors.index.json")
_PICKLED = ("*.bin", "*.pt", "*.pth", "*.pkl", "*.ckpt")
_KNOWN_MODULES = frozenset({"Transformer", "Pooling", "Normalize"})


def model_folder(artifact: str, model_root: Path) -> Path:
    """The folder of `artifact`, which holds nothing that leads out of it. Raises ModelError."""
    try:
        return files.model_folder(artifact, model_root)
    except ModelFilesError as error:
        raise ModelError(str(error)) from error


def check_folder(folder: Path, dimension: int) -> None:
    """Refuse what must not or cannot be loaded as a model of `dimension`. Raises ModelError."""
    try:
        _check_folder(folder, dimension)
    except ModelFilesError as error:
        raise ModelError(str(error)) from error


def _check_folder(folder: Path, dimension: int) -> None:
    if not any((folder / name).is_file() for name in _WEIGHTS):
        pickled = any(next(folder.glob(pattern), None) for pattern in _PICKLED)
        raise ModelError("the weights are pickled; only safetensors are loaded" if pickled else "no model.safetensors")
    if (folder / "adapter_config.json").exists():
        raise ModelError("adapters are not supported; merge the adapter into the weights")
    config = read_object(folder / "config.json")
    for name in ("tokenizer.json", "tokenizer_config.json"):
        if "auto_map" in read_object(folder / name):
            raise ModelError(f"{name} asks for code of its own (auto_map)")
    if "auto_map" in config:
        raise ModelError("config.json asks for code of its own (auto_map)")
    declared = config.get("hidden_size")
    if declared is not None and declared != dimension:
        raise ModelError(f"the model has {declared} dimensions, the registry says {dimension}")
    # A dense or scaling layer behind the pooling would be left out, and the vectors quietly be others.
    unknown = sorted((read_modules(folder) or {}).keys() - _KNOWN_MODULES)
    if unknown:
        raise ModelError(f"modules.json has a layer that is not supported: {', '.join(unknown)}")
