"""A new model version from what its operator gives and what the files of the model say; the operator wins."""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from embedding_project.config import Config
from embedding_project.contracts.model_spec import ModelType
from embedding_project.model_sources.folder_check import check_folder
from embedding_project.model_sources.folder_settings import CROSS_ENCODER, SENTENCE_TRANSFORMER
from embedding_project.model_sources.hub import describe_remote, pinned
from embedding_project.model_sources.model_files import describe
from embedding_project.model_sources.model_folder import HASHING, HubName, NoModelFolder, hub_name, model_folder

FROM_FILES = ("dimension", "pooling", "normalize", "query_prompt", "document_prompt", "max_tokens", "min_dimension")
"""Fields that the files of a model can tell."""
_NAMED_FOLDERS = 20
_NEEDED = ("dimension", "pooling", "max_tokens")
_UNSAID: Mapping[str, Any] = {"normalize": True, "query_prompt": "", "document_prompt": "", "min_dimension": 0}
_OF_CROSS_ENCODER: Mapping[str, Any] = {**_UNSAID, "normalize": False, "dimension": 1, "pooling": "cls"}
_WITHOUT_FILES: Mapping[str, Any] = {**_UNSAID, "pooling": "mean", "max_tokens": 256}


class Incomplete(Exception):
    """Neither the operator nor the files say enough; `missing` are the fields that have to be given.

    `unreadable` when the artifact leads to no files here: most often its name is wrong.
    """

    def __init__(self, missing: tuple[str, ...], reason: str, *, unreadable: bool = False) -> None:
        super().__init__(f"{reason}: give {', '.join(missing)}")
        self.missing = missing
        self.reason = reason
        self.unreadable = unreadable


def completed(given: Mapping[str, Any], config: Config) -> dict[str, Any]:
    """The fields of `given`, and for each of FROM_FILES that is None or absent what the files say.

    Raises Incomplete when a field is known to nobody, and ModelFilesError when the files contradict the project.
    """
    fields = {name: value for name, value in given.items() if value is not None}
    if fields["type"] == ModelType.CROSS_ENCODER:
        return _of_cross_encoder(fields, config)
    if fields["type"] != ModelType.TRANSFORMERS or fields.get("artifact") == HASHING:
        return _checked({**_WITHOUT_FILES, **fields}, "there are no model files to read it from")
    hub = _pinned(fields, config)
    told, problem = _told(fields["artifact"], hub, config)
    reason = problem or f"the files of {fields['artifact']} do not say everything, and nothing is guessed"
    return _checked({**_UNSAID, **told, **fields}, reason, unreadable=bool(problem))


def _of_cross_encoder(fields: dict[str, Any], config: Config) -> dict[str, Any]:
    """It gives one number, and of its files only the length matters."""
    hub = _pinned(fields, config)
    told, problem = _told(fields["artifact"], hub, config, CROSS_ENCODER)
    length = {"max_tokens": told["max_tokens"]} if "max_tokens" in told else {}
    reason = problem or f"the files of {fields['artifact']} do not say how long a pair may be"
    return _checked({**_OF_CROSS_ENCODER, **length, **fields}, reason, unreadable=bool(problem))


def _pinned(fields: dict[str, Any], config: Config) -> HubName | None:
    """The name on a hub, in `fields` with its commit; None for another artifact. Raises Incomplete."""
    if not fields.get("artifact"):
        raise Incomplete(("artifact",), f"a {fields['type']} model is a folder or a package")
    hub = hub_name(fields["artifact"])
    if hub:
        hub = pinned(hub, config)
        fields["artifact"] = hub.artifact
    return hub


def _told(
    artifact: str, hub: HubName | None, config: Config, kind: str = SENTENCE_TRANSFORMER
) -> tuple[dict[str, Any], str]:
    """What the files say, or why they cannot be read here."""
    try:
        folder = model_folder(artifact, config.model_root)
    except NoModelFolder as error:
        if hub is None or not config.hub_downloads:
            return {}, f"the model files cannot be read here ({error}; below MODEL_ROOT: {_folders(config.model_root)})"
        description = describe_remote(hub, config, kind)
    else:
        check_folder(folder, kind=kind)
        description = describe(folder, kind)
    return {name: value for name, value in asdict(description).items() if value is not None}, ""


def _folders(model_root: Path) -> str:
    try:
        names = sorted(entry.name for entry in model_root.iterdir() if entry.is_dir())
    except OSError:
        names = []
    return ", ".join(names[:_NAMED_FOLDERS]) or "no folder"


def _checked(fields: dict[str, Any], reason: str, *, unreadable: bool = False) -> dict[str, Any]:
    missing = tuple(name for name in _NEEDED if name not in fields)
    if missing:
        raise Incomplete(missing, reason, unreadable=unreadable)
    return fields
