"""Restore: the tables become those of a backup, in one transaction, under a new log epoch.

A running instance notices by itself: while the tables are locked it answers 503, then its nodes find another epoch and
rebuild. What it remembers of the old state must not outlive the lock, see `Waits`.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TypeVar

from django.db import transaction
from django_celery_beat.models import PeriodicTasks

from embedding_project.wording import plural
from embeddings_app import registry
from embeddings_app.models import ApiKey, Document, Layout, LayoutStatus, LogEpoch, ModelRegistry
from embeddings_app.records import table_copy, vector_partitions
from embeddings_app.records.topology import renew_epoch
from embeddings_app.services import audit, namespaces
from embeddings_app.services.backups.epoch import empty_cache
from embeddings_app.services.backups.errors import BackupDamaged, BackupRefused
from embeddings_app.services.backups.files import checked_blocks
from embeddings_app.services.backups.making import verify_backup
from embeddings_app.services.backups.manifest import Manifest
from embeddings_app.services.backups.model_folders import Say, place_in_root

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True, kw_only=True)
class Waits:
    settle_seconds: float = 5.0
    """The tables stay locked for at least so long. In another installation's backup a key may mean something else: by
    then nodes do not answer any more, and searches that began before, and facts of api processes, have expired."""
    lock_seconds: float = 30.0
    """How long the locks are tried for. A node that loads its shard holds them off."""


USUAL_WAITS = Waits()


@dataclass(frozen=True, slots=True, kw_only=True)
class Restored:
    documents: int
    """Live ones."""
    epoch: str
    cache_emptied: bool
    """False when the cache did not answer: it may hold vectors of weights that a version no longer means."""


def restore_backup(
    directory: Path, model_root: Path, actor: str, say: Say, *, replace: bool, waits: Waits = USUAL_WAITS
) -> Restored:
    """Verify the whole backup, then make the database what it says. Nothing changes unless everything does, but that
    model folders which are missing are put below `model_root` before. Raises BackupRefused, OSError, django.db.Error.
    """
    say("verifying")
    manifest = verify_backup(directory)
    _refuse_misfit(manifest)
    _refuse_documents(replace)
    for folder in place_in_root(directory, manifest.models, manifest.files, model_root):
        say(f"model folder {folder} is in place")
    epoch, documents = _in_locked_transaction(
        lambda: _replace_everything(directory, manifest, actor, say, waits.settle_seconds, replace=replace),
        waits.lock_seconds,
    )
    cache_emptied = empty_cache()
    registry.forget_cached()
    namespaces.forget_cached()
    return Restored(documents=documents, epoch=epoch, cache_emptied=cache_emptied)


def _refuse_misfit(manifest: Manifest) -> None:
    here, there = set(table_copy.applied_migrations()), set(manifest.migrations)
    if here != there:
        raise BackupRefused(
            "the backup was made by another version of the code: "
            + "; ".join(
                f"{place} lacks {', '.join(sorted(names))}"
                for place, names in (("this database", there - here), ("the backup", here - there))
                if names
            )
        )
    expected = {*table_copy.copied_tables(), *map(vector_partitions.vector_partition, manifest.vector_versions)}
    if {table.name for table in manifest.tables} != expected:
        raise BackupRefused("the backup does not hold the tables of this version of the code")
    layout = Layout.objects.filter(status=LayoutStatus.ACTIVE).first()
    if layout is not None and manifest.shards != layout.shards:
        raise BackupRefused(
            f"the backup has {manifest.shards} shards and this instance {layout.shards}: "
            f"restore into one that was started with SHARDS={manifest.shards}"
        )


def _refuse_documents(replace: bool) -> None:
    if not replace and Document.objects.exists():
        raise BackupRefused("the database holds documents, which --replace would discard")


def _in_locked_transaction(work: Callable[[], Result], lock_seconds: float) -> Result:
    """Run `work` while nobody else can touch a table."""
    until = time.monotonic() + lock_seconds
    while True:
        try:
            with transaction.atomic():
                table_copy.begin_replacement()
                return work()
        except table_copy.TablesBusy as error:
            if time.monotonic() > until:
                raise BackupRefused(
                    f"the tables were in use for {lock_seconds:.0f} s: "
                    "a backup is running, or a node loads its shard; wait for it, or stop the instance"
                ) from error
            time.sleep(1.0)


def _replace_everything(
    directory: Path, manifest: Manifest, actor: str, say: Say, settle_seconds: float, *, replace: bool
) -> tuple[str, int]:
    """1. what must survive  2. the tables  3. what must be new: epoch, beat's schedule, the audit event.

    Gives the new epoch, and the number of live documents."""
    locked_at = time.monotonic()
    _refuse_documents(replace)
    before = LogEpoch.objects.first()
    revoked = dict(ApiKey.objects.exclude(revoked_at=None).values_list("prefix", "revoked_at"))
    table_copy.empty_all()
    _copy_tables(directory, manifest, say)
    table_copy.analyze(table.name for table in manifest.tables)
    table_copy.advance_sequences(manifest.sequences)
    _keep_revoked(revoked)
    PeriodicTasks.update_changed()
    epoch = renew_epoch()
    documents = Document.objects.filter(deleted=False).count()
    detail = {
        "made_at": manifest.made_at,
        "epoch_of_backup": manifest.epoch,
        "epoch_before": str(before.epoch) if before else "",
        "documents": documents,
    }
    audit.record(actor, "backup.restored", directory.name[:255], detail)
    say("committing")
    time.sleep(max(locked_at + settle_seconds - time.monotonic(), 0))
    return epoch, documents


def _copy_tables(directory: Path, manifest: Manifest, say: Say) -> None:
    files = {entry.path: entry for entry in manifest.files}
    versions = {vector_partitions.vector_partition(key): key for key in manifest.vector_versions}
    with table_copy.references_checked_at_end():
        # The registry comes before the vectors: how a partition stores them depends on their dimension.
        for table in sorted(manifest.tables, key=lambda entry: entry.name in versions):
            if table.name in versions:
                _create_partition(versions[table.name])
            if sorted(table_copy.columns(table.name)) != sorted(table.columns):
                raise BackupRefused(f"table {table.name} has other columns than in the backup")
            rows = table_copy.copy_in(table.name, table.columns, checked_blocks(directory, files[table.path]))
            if rows != table.rows:
                raise BackupDamaged(f"{table.path} holds {rows} rows, the manifest says {table.rows}")
            say(f"{table.name}: {plural(rows, 'row')}")
        say("checking references")


def _create_partition(version_key: int) -> None:
    version = ModelRegistry.objects.filter(pk=version_key).first()
    if version is None:
        raise BackupDamaged(f"it holds vectors of model version {version_key}, which it does not register")
    vector_partitions.create_vector_partition(version.pk, version.dimension)


def _keep_revoked(revoked: dict[str, datetime | None]) -> None:
    """A key that was revoked since the backup stays so: somebody else may know it."""
    for prefix, revoked_at in revoked.items():
        ApiKey.objects.filter(prefix=prefix, revoked_at=None).update(revoked_at=revoked_at)
