"""Backup: one moment of every table, while the service runs."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from django.db import transaction
from django.utils import timezone

from embedding_project.wording import plural
from embeddings_app.models import Layout, LayoutStatus, LogEpoch
from embeddings_app.records import table_copy
from embeddings_app.services.backups.errors import BackupDamaged, BackupRefused
from embeddings_app.services.backups.files import FileEntry, check_files, new_file, sync, sync_tree
from embeddings_app.services.backups.manifest import (
    MANIFEST,
    MANIFEST_HASH,
    Manifest,
    TableEntry,
    read_manifest,
    write_manifest,
)
from embeddings_app.services.backups.model_folders import Say, copy_from_root, registered_folders
from embeddings_app.services.backups.progress import Progress


def make_backup(directory: Path, model_root: Path | None, say: Say, progress: Progress | None = None) -> Manifest:
    """Write a backup into `directory`, which must not exist; without a `model_root`, without model folders. What stands
    there in the end was read again and is on disk. Raises BackupRefused, OSError, django.db.Error."""
    progress = progress or Progress()
    with _partial(directory) as partial:
        manifest, folders = _copy_tables(partial, say, progress)
        progress.begin("models", 0)
        copied = {} if model_root is None else copy_from_root(model_root, folders, partial, say)
        files = (*manifest.files, *(entry for entries in copied.values() for entry in entries))
        manifest = replace(manifest, models=tuple(copied), files=files)
        write_manifest(partial, manifest)
        sync_tree(partial)
        say("verifying")
        progress.begin("verifying", sum(entry.size for entry in files))
        verify_backup(partial, progress)
    return manifest


def verify_backup(directory: Path, progress: Progress | None = None) -> Manifest:
    """Read every byte of a backup and compare; needs no database. Raises BackupRefused."""
    if not directory.is_dir():
        raise BackupDamaged(f"there is no directory {directory}")
    manifest = read_manifest(directory)
    seen = None if progress is None else progress.add
    check_files(directory, manifest.files, beside=(MANIFEST, MANIFEST_HASH), seen=seen)
    return manifest


@contextmanager
def _partial(directory: Path) -> Iterator[Path]:
    """A directory to write into, which takes its name when all went well and else is removed."""
    partial = directory.with_name(f"{directory.name}.partial")
    if directory.exists() or directory.is_symlink():
        raise BackupRefused(f"{directory} exists; a backup never goes over another")
    try:
        partial.mkdir(mode=0o700)
    except FileExistsError as error:
        raise BackupRefused(
            f"{partial} exists: a backup is being made there, or was cut off; then remove it"
        ) from error
    except FileNotFoundError as error:
        raise BackupRefused(f"there is no directory {directory.parent}") from error
    try:
        yield partial
        partial.rename(directory)
        sync(directory.parent)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise


def _copy_tables(root: Path, say: Say, progress: Progress) -> tuple[Manifest, dict[str, bool]]:
    """The manifest without models, and the model folders of that moment: whether each is needed."""
    with transaction.atomic():
        try:
            table_copy.begin_snapshot()
        except table_copy.TablesBusy as error:
            raise BackupRefused("a table is locked: a restore or a migration is running") from error
        epoch = LogEpoch.objects.first()
        made_at = timezone.now()
        layout = Layout.objects.filter(status=LayoutStatus.ACTIVE).first()
        partitions = table_copy.vector_partitions()
        names = [*table_copy.copied_tables(), *partitions.values()]
        progress.begin("copying", table_copy.size_on_disk(names))
        copied = [_copy_table(root, name, say, progress) for name in names]
        manifest = Manifest(
            made_at=made_at.isoformat(timespec="seconds"),
            postgres=table_copy.server_version(),
            migrations=tuple(table_copy.applied_migrations()),
            epoch=str(epoch.epoch) if epoch else "",
            shards=layout.shards if layout else 0,
            vector_versions=tuple(partitions),
            sequences=tuple(table_copy.key_sequences()),
            models=(),
            tables=tuple(table for table, _ in copied),
            files=tuple(file for _, file in copied),
        )
        return manifest, registered_folders()


def _copy_table(root: Path, name: str, say: Say, progress: Progress) -> tuple[TableEntry, FileEntry]:
    columns = tuple(table_copy.columns(name))
    with new_file(root, TableEntry(name, columns, 0).path) as file:

        def write(block: bytes) -> None:
            file.write(block)
            progress.add(len(block))

        table = TableEntry(name, columns, table_copy.copy_out(name, columns, write))
        entry = file.finish()
    say(f"{name}: {plural(table.rows, 'row')}, {plural(entry.size, 'byte')}")
    return table, entry
