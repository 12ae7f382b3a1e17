"""Where the folder of a model is, and how its small JSON files are read.

The embedders, which load the folder, and the web side, which reads its description, share this module.
"""

import importlib.util
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from embedding_project.regular_files import read_regular

PACKAGE = "package:"
HUB = "hub:"
HASHING = "hashing:"
"""The artifact of the encoder that needs no files."""

MAX_JSON_BYTES = 64 * 1024 * 1024
"""Of one file: the tokenizer of a large vocabulary takes half of it."""
_MAX_ENTRIES = 10_000
TEXT_SETTINGS = tuple(
    f"sentence_{kind}_config.json"
    for kind in ("bert", "roberta", "distilbert", "camembert", "albert", "xlm-roberta", "xlnet")
)
"""Names that one file has had over time: how texts are cut before the model reads them."""

_HUB_NAME = re.compile(r"hub:([A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*)(?:@([A-Za-z0-9][\w./-]*))?", re.ASCII)
_COMMIT = re.compile(r"[0-9a-f]{40}")


class ModelFilesError(Exception):
    """The files of a model are missing, damaged or not supported; the message says what is wrong."""


class NoModelFolder(ModelFilesError):
    """The files of a model are not on this machine; they may be on others."""


@dataclass(frozen=True, slots=True)
class HubName:
    """A model of the hub at a revision."""

    repository: str
    revision: str

    @property
    def commit(self) -> str:
        """The revision when it is a commit, else empty: a branch or a tag may move."""
        return self.revision if _COMMIT.fullmatch(self.revision) else ""

    @property
    def artifact(self) -> str:
        return f"{HUB}{self.repository}@{self.revision}"


def hub_name(artifact: str) -> HubName | None:
    """The model that a `hub:` artifact names; None for other artifacts. Raises ModelFilesError for a malformed one."""
    if not artifact.startswith(HUB):
        return None
    found = _HUB_NAME.fullmatch(artifact)
    if found is None:
        raise ModelFilesError(f"{artifact} is not hub:ORGANISATION/NAME or hub:ORGANISATION/NAME@REVISION")
    return HubName(found[1], found[2] or "main")


def hub_folder(name: HubName, model_root: Path) -> Path:
    """Where the files of a pinned model are after its download."""
    return model_root / "hub" / name.repository / name.commit


def _below_root(artifact: str, root: Path) -> Path:
    name = hub_name(artifact)
    if name is None:
        return root / artifact
    if not name.commit:
        raise ModelFilesError(f"{artifact} is not pinned to a commit")
    return hub_folder(name, root)


def model_folder(artifact: str, model_root: Path) -> Path:
    """The folder of `artifact`, without links that lead out of it. Raises ModelFilesError."""
    if artifact.startswith(PACKAGE):
        root = folder = _package_folder(artifact.removeprefix(PACKAGE))
    else:
        root = model_root.resolve()
        folder = _below_root(artifact, root).resolve()
        if folder == root or not folder.is_relative_to(root):
            raise ModelFilesError("the model folder is not below MODEL_ROOT")
    if not _is_folder(folder):
        raise NoModelFolder(f"there is no model folder for {artifact}")
    _check_entries(folder, root)
    return folder


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:
        return False  # the name is longer than a file system takes


def _check_entries(folder: Path, root: Path) -> None:
    for count, path in enumerate(folder.rglob("*")):
        try:
            inside = path.resolve(strict=True).is_relative_to(root)
        except (OSError, RuntimeError):
            raise ModelFilesError(f"the model folder holds a link that leads nowhere: {path.name}") from None
        if not inside:
            raise ModelFilesError("the model folder holds a link that leads out of it")
        if not path.is_file() and not path.is_dir():
            raise ModelFilesError(f"the model folder holds something that is not a regular file: {path.name}")
        if count >= _MAX_ENTRIES:
            raise ModelFilesError(f"the model folder holds more than {_MAX_ENTRIES} files")


def _package_folder(module: str) -> Path:
    # For a dotted name, find_spec would import the parents; for a plain name, it imports nothing.
    if not module.isidentifier():
        raise ModelFilesError(f"{module!r} is not the name of a Python package")
    try:
        found = importlib.util.find_spec(module)
    except ValueError:
        found = None  # __main__ is there, and was not imported from anywhere
    if found is None or not found.submodule_search_locations:
        raise NoModelFolder(f"the model package {module} is not installed")
    return Path(next(iter(found.submodule_search_locations))).resolve() / "model"


def read_object(path: Path) -> dict[str, Any]:
    """The JSON object in `path`. Raises ModelFilesError."""
    value = read_json(path)
    if not isinstance(value, dict):
        raise ModelFilesError(f"{path.name} is not a JSON object")
    return value


def read_optional(path: Path) -> dict[str, Any]:
    """The JSON object in `path`, empty where there is no such file. Raises ModelFilesError."""
    return read_object(path) if path.exists() else {}


def read_json(path: Path) -> Any:
    """The JSON value in `path`. Raises ModelFilesError."""
    try:
        content = read_regular(path, MAX_JSON_BYTES)
    except FileNotFoundError as error:
        raise ModelFilesError(f"{path.name} is missing") from error
    except OSError as error:
        raise ModelFilesError(f"{path.name} cannot be read: {error.strerror}") from error
    return parsed_json(content, path.name)


def parsed_json(content: bytes, name: str) -> Any:
    """The JSON value in `content`, which came from the file `name`. Raises ModelFilesError."""
    try:
        return json.loads(content.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise ModelFilesError(f"{name} is not JSON, or nested too deep") from error
