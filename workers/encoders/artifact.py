"""Where the files of a model are, and whether they may be loaded.

A model folder is data, never code: weights in safetensors, a fast tokenizer, no classes of its own. Everything is
checked before a file reaches the loader, so that a refusal names its reason.
"""

import importlib.util
import json
from pathlib import Path
from typing import Any

from workers.encoders.base import ModelError

PACKAGE = "package:"
_WEIGHTS = ("model.safetensors", "model.safetensors.index.json")
_PICKLED = ("*.bin", "*.pt", "*.pth", "*.pkl", "*.ckpt")
_KNOWN_MODULES = ("Transformer", "Pooling", "Normalize")


def model_folder(artifact: str, model_root: Path) -> Path:
    """The folder of `artifact`, which holds nothing that leads out of it. Raises ModelError."""
    if artifact.startswith(PACKAGE):
        root = folder = _package_folder(artifact.removeprefix(PACKAGE))
    else:
        root = model_root.resolve()
        folder = (root / artifact).resolve()
        if folder == root or not folder.is_relative_to(root):
            raise ModelError("the model folder is not below MODEL_ROOT")
    if not folder.is_dir():
        raise ModelError(f"there is no model folder for {artifact}")
    if not all(path.resolve().is_relative_to(root) for path in folder.rglob("*")):
        raise ModelError("the model folder holds a link that leads out of it")
    return folder


def _package_folder(module: str) -> Path:
    # A dotted name would import its parents; a plain one is only looked up.
    if not module.isidentifier():
        raise ModelError(f"{module!r} is not the name of a Python package")
    found = importlib.util.find_spec(module)
    if found is None or not found.submodule_search_locations:
        raise ModelError(f"the model package {module} is not installed")
    return Path(next(iter(found.submodule_search_locations))).resolve() / "model"


def check_folder(folder: Path, dimension: int) -> None:
    """Refuse what must not or cannot be loaded as a model of `dimension`. Raises ModelError."""
    if not any((folder / name).is_file() for name in _WEIGHTS):
        pickled = any(next(folder.glob(pattern), None) for pattern in _PICKLED)
        raise ModelError("the weights are pickled; only safetensors are loaded" if pickled else "no model.safetensors")
    if (folder / "adapter_config.json").exists():
        raise ModelError("adapters are not supported; merge the adapter into the weights")
    config = _read_object(folder / "config.json")
    for name in ("tokenizer.json", "tokenizer_config.json"):
        if "auto_map" in _read_object(folder / name):
            raise ModelError(f"{name} asks for code of its own (auto_map)")
    if "auto_map" in config:
        raise ModelError("config.json asks for code of its own (auto_map)")
    declared = config.get("hidden_size")
    if declared is not None and declared != dimension:
        raise ModelError(f"the model has {declared} dimensions, the registry says {dimension}")
    _check_modules(folder)


def _check_modules(folder: Path) -> None:
    # A dense or scaling layer behind the pooling would be left out, and the vectors quietly be others.
    if not (folder / "modules.json").exists():
        return
    for module in _read(folder / "modules.json"):
        kind = str(module.get("type", "")).rpartition(".")[2] if isinstance(module, dict) else ""
        if kind not in _KNOWN_MODULES:
            raise ModelError(f"modules.json has a layer that is not supported: {kind}")


def _read_object(path: Path) -> dict[str, Any]:
    value = _read(path)
    if not isinstance(value, dict):
        raise ModelError(f"{path.name} is not a JSON object")
    return value


def _read(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ModelError(f"{path.name} is missing or cannot be read") from error
    except ValueError as error:
        raise ModelError(f"{path.name} is not JSON") from error
