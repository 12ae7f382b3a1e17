"""Models with a hub id, `hub:<org>/<name>@<commit>`: finds, describes and downloads them, files of data only.

A commit pins each model. Its files are in a folder of that commit below MODEL_ROOT, and never change.
"""

import fcntl
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from embedding_project.config import Config
from embedding_project.model_sources.folder_settings import SENTENCE_TRANSFORMER
from embedding_project.model_sources.model_files import ModelDescription, describe
from embedding_project.model_sources.model_folder import HubName, ModelFilesError, hub_folder

_TIMEOUT_SECONDS = 10.0
_DATA = ("*.safetensors", "*.json", "*.txt")
_DESCRIPTION = ("config.json", "modules.json", "*_config.json", "config_*.json", "*/config.json")
_OTHER_RUNTIMES = ("onnx/*", "openvino/*")
Result = TypeVar("Result")


@cache
def _library() -> Any:
    """The client of the hub, imported at its first use: most processes use it never, and the import takes long."""
    import huggingface_hub.errors
    from huggingface_hub.utils.tqdm import disable_progress_bars

    disable_progress_bars()
    return huggingface_hub


def pinned(name: HubName, config: Config) -> HubName:
    """`name` with the commit that its revision stands for now. Raises ModelFilesError."""
    if name.commit:
        return name
    _refuse_without_permission(config)
    found = HubName(name.repository, _commit_with_weights(name, config))
    if not found.commit:
        raise ModelFilesError("the hub names no commit")
    return found


def describe_remote(name: HubName, config: Config, kind: str = SENTENCE_TRANSFORMER) -> ModelDescription:
    """The description in the small files of a pinned model, without its weights. Raises ModelFilesError."""
    _refuse_without_permission(config)
    with tempfile.TemporaryDirectory() as scratch:
        _download(name, Path(scratch), _DESCRIPTION, config)
        return describe(Path(scratch), kind)


def download(name: HubName, config: Config) -> None:
    """Make the folder of a pinned model; the folder appears only when it is whole. Raises ModelFilesError.

    It goes on with the files of an interrupted download.
    """
    folder = hub_folder(name, config.model_root)
    if folder.exists():
        return
    _refuse_without_permission(config)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with _only_downloader(folder.with_name(f"{folder.name}.lock")):
        if folder.exists():
            return
        _commit_with_weights(name, config)
        partial = folder.with_name(f"{folder.name}.partial")
        _download(name, partial, _DATA, config)
        shutil.rmtree(partial / ".cache", ignore_errors=True)
        partial.rename(folder)


@contextmanager
def _only_downloader(path: Path) -> Iterator[None]:
    with path.open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ModelFilesError("another process of this machine is downloading it") from None
        yield


def _download(name: HubName, folder: Path, patterns: tuple[str, ...], config: Config) -> None:
    _asked(
        lambda: _library().snapshot_download(
            name.repository,
            revision=name.revision,
            endpoint=config.hub_url,
            token=False,
            local_dir=folder,
            allow_patterns=list(patterns),
            ignore_patterns=list(_OTHER_RUNTIMES),
            etag_timeout=_TIMEOUT_SECONDS,
            max_workers=4,
        )
    )


def _asked(ask: Callable[[], Result]) -> Result:
    errors = _library().errors
    try:
        return ask()
    except errors.GatedRepoError:
        raise ModelFilesError("the hub gives it only to users who have agreed to its terms") from None
    except errors.RepositoryNotFoundError:
        raise ModelFilesError("the hub has no such repository, or not for everybody") from None
    except errors.RevisionNotFoundError:
        raise ModelFilesError("the repository has no such revision") from None
    except Exception as error:
        # When the hub is away, the library raises classes of its own and of two other libraries.
        raise ModelFilesError(f"the hub cannot be used now: {type(error).__name__}") from error


def _commit_with_weights(name: HubName, config: Config) -> str:
    """The commit of the revision, which must hold weights that may be loaded. Raises ModelFilesError."""
    api = _library().HfApi(endpoint=config.hub_url, token=False)
    info = _asked(lambda: api.model_info(name.repository, revision=name.revision, timeout=_TIMEOUT_SECONDS))
    names = [sibling.rfilename for sibling in info.siblings or ()]
    if not any(name.endswith(".safetensors") and "/" not in name for name in names):
        raise ModelFilesError("the repository holds no safetensors weights; pickled ones are never downloaded")
    return info.sha or ""


def _refuse_without_permission(config: Config) -> None:
    if not config.hub_downloads:
        raise ModelFilesError("it is not below MODEL_ROOT, and HUB_DOWNLOADS is 0")
