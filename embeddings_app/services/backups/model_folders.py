"""The model folders that the registry names, out of MODEL_ROOT and into it. Models in packages come with the code."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath

from embedding_project.model_sources.model_folder import HASHING, PACKAGE, hub_folder, hub_name
from embedding_project.wording import plural
from embeddings_app.models import LIVE_STATUSES, ModelRegistry
from embeddings_app.services.backups.errors import BackupRefused
from embeddings_app.services.backups.files import FileEntry, blocks_of, check_files, new_file, regular_files, sync_tree
from embeddings_app.services.backups.manifest import model_path

Say = Callable[[str], None]


def registered_folders() -> dict[str, bool]:
    """Path below MODEL_ROOT -> whether a version that answers or is kept for it needs the folder."""
    found: dict[str, bool] = {}
    for artifact, status in ModelRegistry.objects.values_list("artifact", "status"):
        if artifact and not artifact.startswith((PACKAGE, HASHING)):
            hub = hub_name(artifact)
            folder = hub_folder(hub, Path()).as_posix() if hub else artifact
            found[folder] = found.get(folder, False) or status in LIVE_STATUSES
    return found


def copy_from_root(model_root: Path, folders: dict[str, bool], root: Path, say: Say) -> dict[str, list[FileEntry]]:
    """Copy the folders into the backup at `root`. Raises BackupRefused when one that is needed cannot be copied."""
    copied = {}
    for folder in _outermost(folders):
        try:
            names = _files_of(model_root, folder)
        except BackupRefused as error:
            if any(needed for name, needed in folders.items() if _is_within(name, folder)):
                raise
            say(f"model folder {folder} is left out: {error}")
            continue
        pairs = [(model_root / folder / name, f"{model_path(folder)}{name}") for name in names]
        copied[folder] = [_copy(source, root, target) for source, target in pairs]
        say(f"model folder {folder}: {plural(len(names), 'file')}")
    return copied


def _files_of(model_root: Path, folder: str) -> list[str]:
    steps = PurePosixPath(folder).parts
    if PurePosixPath(folder).is_absolute() or ".." in steps:
        raise BackupRefused(f"{folder} is not below MODEL_ROOT")
    if any((model_root / Path(*steps[: depth + 1])).is_symlink() for depth in range(len(steps))):
        raise BackupRefused(f"{folder} leads over a link")
    if not (model_root / folder).is_dir():
        raise BackupRefused(f"there is no model folder {folder} below {model_root}")
    names = regular_files(model_root / folder)
    if not names:
        raise BackupRefused(f"the model folder {folder} holds no file")
    return names


def _outermost(folders: Iterable[str]) -> list[str]:
    """Without those that lie in another."""
    return sorted(name for name in folders if not any(_is_within(name, other) and name != other for other in folders))


def _is_within(name: str, folder: str) -> bool:
    return PurePosixPath(name).is_relative_to(folder)


def _copy(source: Path, root: Path, path: str) -> FileEntry:
    with new_file(root, path) as file:
        for block in blocks_of(source):
            file.write(block)
        return file.finish()


def place_in_root(root: Path, folders: Sequence[str], files: Sequence[FileEntry], model_root: Path) -> list[str]:
    """Copy the folders that are missing below `model_root` out of the verified backup at `root`; their names. Raises
    BackupRefused, before the first copy, when one is there with another content."""
    contents = {folder: _contents(folder, files) for folder in folders}
    missing = [folder for folder in folders if not (model_root / folder).exists()]
    for folder in folders:
        if folder not in missing:
            _refuse_difference(model_root / folder, contents[folder])
    for folder in missing:
        target = model_root / folder
        partial = target.with_name(f"{target.name}.partial")
        if partial.exists():
            raise BackupRefused(f"{partial} is left from an earlier restore; remove it")
        for entry in contents[folder]:
            _copy(root / model_path(folder) / entry.path, partial, entry.path)
        sync_tree(partial)
        partial.rename(target)
    return missing


def _contents(folder: str, files: Sequence[FileEntry]) -> list[FileEntry]:
    prefix = model_path(folder)
    return [replace(entry, path=entry.path.removeprefix(prefix)) for entry in files if entry.path.startswith(prefix)]


def _refuse_difference(folder: Path, entries: Sequence[FileEntry]) -> None:
    try:
        check_files(folder, entries, beside=())
    except BackupRefused as error:
        raise BackupRefused(f"{folder} holds another model than the backup ({error}); move it away first") from error
