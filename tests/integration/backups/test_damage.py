"""A backup that is damaged or of another service is refused, and nothing changes."""

import hashlib
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from embeddings_app.services.backups.errors import BackupRefused
from embeddings_app.services.backups.making import verify_backup
from embeddings_app.services.backups.manifest import MANIFEST, MANIFEST_HASH
from embeddings_app.services.backups.restoring import restore_backup
from tests.integration.backups.steps import AT_ONCE, backup, restore, state, write_some
from tests.integration.conftest import empty_tables
from tests.integration.indexing_steps import put

Damage = Callable[[Path], None]


@pytest.fixture(scope="module")
def sound(migrated: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A backup that nothing is wrong with."""
    empty_tables()
    write_some()
    backup(made := tmp_path_factory.mktemp("sound") / "backup")
    return made


@pytest.fixture
def directory(sound: Path, directory: Path) -> Path:
    """A copy of it, and a database with other content."""
    put(("a", "what is there now"))
    return Path(shutil.copytree(sound, directory))


def _flip(directory: Path) -> None:
    path = directory / "tables" / "document.copy"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def _remove(directory: Path) -> None:
    (directory / "tables" / "namespace.copy").unlink()


def _truncate(directory: Path) -> None:
    path = directory / "tables" / "shard_change.copy"
    os.truncate(path, path.stat().st_size - 1)


def _add(directory: Path) -> None:
    (directory / "tables" / "more.copy").write_bytes(b"")


def _link(directory: Path) -> None:
    path = directory / "tables" / "namespace.copy"
    path.rename(directory.parent / "elsewhere")
    path.symlink_to(directory.parent / "elsewhere")


def _swap(directory: Path) -> None:
    one, other = directory / "tables" / "document.copy", directory / "tables" / "namespace.copy"
    one.rename(directory / "waiting")
    other.rename(one)
    (directory / "waiting").rename(other)


def _manifest(change: Callable[[dict[str, Any]], None], *, hashed: bool = True) -> Damage:
    def damage(directory: Path) -> None:
        value = json.loads((directory / MANIFEST).read_bytes())
        change(value)
        content = json.dumps(value).encode()
        (directory / MANIFEST).write_bytes(content)
        if hashed:
            (directory / MANIFEST_HASH).write_text(f"{hashlib.sha256(content).hexdigest()}  {MANIFEST}\n")

    return damage


def _fifo(directory: Path) -> None:
    (directory / MANIFEST).unlink()
    os.mkfifo(directory / MANIFEST)


def _nested(directory: Path) -> None:
    content = b"[" * 100_000
    (directory / MANIFEST).write_bytes(content)
    (directory / MANIFEST_HASH).write_text(f"{hashlib.sha256(content).hexdigest()}  {MANIFEST}\n")


def _table(value: dict[str, Any], name: str) -> dict[str, Any]:
    found: dict[str, Any] = next(table for table in value["tables"] if table["name"] == name)
    return found


DAMAGES: dict[str, tuple[Damage, str]] = {
    "a flipped bit": (_flip, "SHA-256"),
    "a missing file": (_remove, "missing"),
    "a truncated file": (_truncate, "bytes"),
    "one file more": (_add, "not in the manifest"),
    "a link": (_link, "link"),
    "two files swapped": (_swap, "bytes"),
    "a manifest that is a FIFO": (_fifo, "cannot be read"),
    "no manifest": (lambda directory: (directory / MANIFEST).unlink(), "cannot be read"),
    "a changed manifest": (_manifest(lambda value: value.update(epoch="x"), hashed=False), "SHA-256"),
    "another format": (_manifest(lambda value: value.update(format=2)), "format"),
    "a manifest of the wrong shape": (_manifest(lambda value: value.update(tables={"a": 1})), "format"),
    "a path that leads out": (_manifest(lambda value: value["files"][0].update(path="../x")), "format"),
    "a model that leads out": (_manifest(lambda value: value.update(models=["../../x"])), "format"),
    "a model at the root": (_manifest(lambda value: value.update(models=["/etc"])), "format"),
    "a model without a name": (_manifest(lambda value: value.update(models=["."])), "format"),
    "a model with a NUL": (_manifest(lambda value: value.update(models=["a\0"])), "format"),
    "a model without files": (_manifest(lambda value: value.update(models=["family/other"])), "format"),
    "a model that is a number": (_manifest(lambda value: value.update(models=[5])), "format"),
    "a migration with a NUL": (_manifest(lambda value: value["migrations"].append("a\0")), "format"),
    "an epoch with a NUL": (_manifest(lambda value: value.update(epoch="a\0")), "format"),
    "a column with a NUL": (_manifest(lambda value: value["tables"][0]["columns"].append("a\0")), "format"),
    "a sequence with a NUL": (_manifest(lambda value: value["sequences"][0].update(table="a\0")), "format"),
    "a number that is none": (_manifest(lambda value: value.update(shards=float("inf"))), "format"),
    "a manifest nested deep": (_nested, "format"),
}
MISFITS: dict[str, tuple[Damage, str]] = {
    "a migration less": (_manifest(lambda value: value["migrations"].pop()), "the backup lacks sessions.0001_initial"),
    "a migration more": (
        _manifest(lambda value: value["migrations"].append("embeddings_app.0099_later")),
        "this database lacks embeddings_app.0099_later",
    ),
    "other shards": (_manifest(lambda value: value.update(shards=7)), "SHARDS=7"),
    "a table less": (_manifest(lambda value: value["tables"].remove(_table(value, "api_key"))), "tables"),
    "a wrong count": (_manifest(lambda value: _table(value, "document").update(rows=3)), "the manifest says 3"),
    "another column": (_manifest(lambda value: _table(value, "document")["columns"].pop()), "columns"),
}


@pytest.mark.parametrize(("damage", "reason"), DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_backup_is_refused_and_nothing_changes(directory: Path, damage: Damage, reason: str) -> None:
    damage(directory)
    before = state()
    with pytest.raises(BackupRefused, match=reason):
        verify_backup(directory)
    with pytest.raises(BackupRefused, match=reason):
        restore(directory)
    assert state() == before


@pytest.mark.parametrize(("damage", "reason"), MISFITS.values(), ids=MISFITS)
def test_a_backup_that_does_not_fit_is_refused_and_nothing_changes(
    directory: Path, damage: Damage, reason: str
) -> None:
    damage(directory)
    before = state()
    with pytest.raises(BackupRefused, match=reason):
        restore(directory)
    assert state() == before


def test_a_file_that_changes_after_it_was_verified_is_noticed(directory: Path) -> None:
    before, said = state(), list[str]()

    def damage_after_the_first_table(line: str) -> None:
        said.append(line)
        if [heard.endswith((" row", " rows")) for heard in said].count(True) == 1:
            _flip(directory)

    with pytest.raises(Exception, match=r"SHA-256|COPY|invalid"):
        restore_backup(directory, directory, "command:tests", damage_after_the_first_table, replace=True, waits=AT_ONCE)
    assert said[0] == "verifying"
    assert not any(line.startswith("document:") for line in said)
    assert state() == before
