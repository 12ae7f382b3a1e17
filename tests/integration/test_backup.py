"""Backup and restore in one database: everything comes back, or nothing changes."""

import hashlib
import json
import os
import resource
import signal
import subprocess
import sys
import threading
import uuid
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction

from embedding_project.contracts.model_spec import ModelSpec
from embeddings_app import registry
from embeddings_app.models import ApiKey, ModelRegistry, ModelStatus
from embeddings_app.records import table_copy
from embeddings_app.records.topology import read_topology
from embeddings_app.services import namespaces
from embeddings_app.services.access.api_keys import KeyGrant, create_key, revoke_key
from embeddings_app.services.backups import restoring
from embeddings_app.services.backups.errors import BackupRefused
from embeddings_app.services.backups.making import make_backup, verify_backup
from embeddings_app.services.backups.manifest import MANIFEST, MANIFEST_HASH
from embeddings_app.services.documents.deleting import delete
from embeddings_app.services.embedding.cache import cached_vectors
from embeddings_app.services.embedding.embed import EmbedOutcome
from tests.conftest import ROOT
from tests.integration.indexing_steps import NAMESPACE, embed, frame, index, make_due, put, record, rows
from tests.specs import SPEC

NEW_AFTER_A_RESTORE = {"log_epoch", "audit_event", "django_celery_beat_periodictasks"}
UNPAIRED = "SELECT split_part(doc_id, ' ', 2) FROM document GROUP BY 1 HAVING count(*) <> 2"
LOGS_WITH_GAPS = """
SELECT c.head, count(s.seq) FROM shard_counter c
LEFT JOIN shard_change s USING (layout_id, model_version_id, shard) GROUP BY c.id HAVING c.head <> count(s.seq)
"""
READY_WITHOUT_VECTOR = """
SELECT 1 FROM embedding_record r LEFT JOIN embedding_vector v USING (document_id, model_version_id)
WHERE (r.state = 'ready') <> (v.document_id IS NOT NULL)
"""
Damage = Callable[[Path], None]


@pytest.fixture(autouse=True)
def fast(monkeypatch: pytest.MonkeyPatch, database: str) -> None:
    """No instance runs on this database, so nothing has to settle."""
    monkeypatch.setattr(restoring, "SETTLE_SECONDS", 0.0)


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "backup"


@pytest.fixture
def model_root(tmp_path: Path) -> Path:
    root = tmp_path / "models"
    root.mkdir()
    return root


@pytest.fixture
def model_folder(model_root: Path) -> Iterator[Path]:
    """A folder that a version kept for rollback needs."""
    folder = model_root / "family" / "small"
    (folder / "pooling").mkdir(parents=True)
    (folder / "model.safetensors").write_bytes(bytes(range(256)) * 100)
    (folder / "pooling" / "config.json").write_text("{}")
    version = ModelRegistry.objects.create(
        model_id="small", type="transformers", artifact="family/small", dimension=8, status=ModelStatus.STANDBY
    )
    yield folder
    ModelRegistry.objects.filter(pk=version.pk).delete()


def silent(_: str) -> None:
    pass


def backup(directory: Path, model_root: Path | None = None) -> None:
    make_backup(directory, model_root, silent)


def restore(directory: Path, *, replace: bool = True, model_root: Path | None = None) -> restoring.Restored:
    return restoring.restore_backup(directory, model_root or directory, "command:tests", silent, replace=replace)


def state() -> dict[str, list[str]]:
    """Every row of every table, as text."""
    names = [*table_copy.copied_tables(), *table_copy.vector_partitions().values()]
    found = {name: sorted(row for (row,) in rows(f'SELECT t::text FROM "{name}" t')) for name in names}
    return {name: content for name, content in found.items() if content}


def write_some() -> None:
    put(*((f"d{number}", f"text {number}") for number in range(20)), metadata={"a": [1, "ü", None]})
    index()
    delete(NAMESPACE, "d3")
    put(("d4", "waits for its vector"))


def write_more() -> None:
    put(("d4", "another text"), ("d5", "changed"), ("new", "new"))
    index()
    delete(NAMESPACE, "d6")


def test_a_restore_brings_back_every_row_there_was(directory: Path) -> None:
    write_some()
    before = state()
    backup(directory)
    assert state() == before
    write_more()
    assert state() != before
    restored = restore(directory)
    after = state()
    assert {name: rows for name, rows in after.items() if name not in NEW_AFTER_A_RESTORE} == {
        name: rows for name, rows in before.items() if name not in NEW_AFTER_A_RESTORE
    }
    assert set(before.get("audit_event", [])) < set(after["audit_event"])
    assert restored.documents == 19


def test_a_restore_is_a_new_history_and_says_so_in_the_audit_log(directory: Path) -> None:
    write_some()
    epoch = read_topology().epoch
    backup(directory)
    restored = restore(directory)
    assert read_topology().epoch == restored.epoch != epoch
    actor, action, subject, detail = rows(
        "SELECT actor, action, subject, detail::text FROM audit_event ORDER BY id DESC LIMIT 1"
    )[0]
    assert (actor, action, subject) == ("command:tests", "backup.restored", "backup")
    assert json.loads(detail)["epoch_before"] == epoch


def test_work_goes_on_after_a_restore_and_no_key_is_given_twice(directory: Path) -> None:
    write_some()
    backup(directory)
    write_more()
    (last,) = rows("SELECT max(id) FROM document")[0]
    restore(directory)
    assert {result.revision for result in put(("another", "another"), ("d4", "yet another text"))} == {1, 3}
    index()
    assert rows("SELECT id > %s FROM document WHERE doc_id = 'another'", last) == [(True,)]
    assert record("d4")[:2] == ("ready", 3)
    assert record("another")[:2] == ("ready", 1)


def test_references_are_checked_again_after_a_restore(directory: Path) -> None:
    count = "SELECT count(*) FROM pg_constraint WHERE contype = 'f' AND convalidated"
    write_some()
    before = rows(count)
    backup(directory)
    restore(directory)
    assert rows(count) == before
    with pytest.raises(IntegrityError, match="foreign key"):
        rows("SET CONSTRAINTS ALL IMMEDIATE; UPDATE embedding_record SET model_version_id = 999999")


def test_a_backup_under_writers_is_one_moment(directory: Path) -> None:
    writing, stopped = threading.Event(), threading.Event()

    def write() -> None:
        try:
            turn = 0
            while not stopped.is_set():
                put((f"left {turn}", f"left {turn}"), (f"right {turn}", f"right {turn}"))
                index()
                writing.set()
                turn += 1
        finally:
            connection.close()

    writer = threading.Thread(target=write)
    writer.start()
    try:
        assert writing.wait(10)
        backup(directory)
    finally:
        stopped.set()
        writer.join()
    restore(directory)
    assert rows("SELECT count(*) > 0 FROM document") == [(True,)]
    assert rows(UNPAIRED) == rows(LOGS_WITH_GAPS) == rows(READY_WITHOUT_VECTOR) == []


def test_a_claim_of_an_older_history_writes_nothing(directory: Path) -> None:
    """After the restore the same key and text revision stand for another text."""
    put(("a", "first"))
    index()
    backup(directory)
    put(("a", "second"))

    def restored_meanwhile(spec: ModelSpec, texts: Sequence[str]) -> list[EmbedOutcome]:
        restore(directory)
        put(("a", "third"))
        return embed(spec, texts)

    index(lambda spec, texts: restored_meanwhile(spec, texts) if "second" in texts else embed(spec, texts))
    make_due()
    index()
    hashed = hashlib.sha256
    assert record("a")[:2] == ("ready", 2)
    (stored,) = rows(
        "SELECT vector FROM embedding_vector v JOIN document d ON d.id = v.document_id AND d.doc_id = 'a'"
    )[0]
    put(("b", "third"))
    index()
    (expected,) = rows(
        "SELECT vector FROM embedding_vector v JOIN document d ON d.id = v.document_id AND d.doc_id = 'b'"
    )[0]
    assert hashed(stored).digest() == hashed(expected).digest()


def test_a_revoked_key_stays_revoked(directory: Path) -> None:
    key, _ = create_key(KeyGrant(name=f"test {uuid.uuid4()}", scopes=["search"]), "command:tests")
    backup(directory)
    revoke_key(key.prefix, "command:tests")
    revoked_at = ApiKey.objects.get(pk=key.pk).revoked_at
    restore(directory)
    assert ApiKey.objects.get(pk=key.pk).revoked_at == revoked_at is not None


def test_the_cache_is_emptied(directory: Path) -> None:
    vectors, key = cached_vectors(), uuid.uuid4().bytes
    backup(directory)
    vectors.shared.put_many({key: frame("text", SPEC.dimension)})
    assert list(vectors.find(SPEC, [key])) == [key]
    assert restore(directory).cache_emptied
    assert vectors.find(SPEC, [key]) == {}


def test_documents_are_discarded_only_when_asked_to(directory: Path) -> None:
    backup(directory)
    write_some()
    before = state()
    with pytest.raises(BackupRefused, match="--replace"):
        restore(directory, replace=False)
    assert state() == before
    restore(directory)
    assert rows("SELECT 1 FROM document") == []
    restore(directory, replace=False)


def test_a_backup_goes_over_nothing(directory: Path) -> None:
    directory.mkdir()
    with pytest.raises(BackupRefused, match="exists"):
        backup(directory)
    assert list(directory.iterdir()) == []
    assert not directory.with_name("backup.partial").exists()


def test_a_backup_that_fails_leaves_nothing(directory: Path) -> None:
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10, limits[1]))
    try:
        with pytest.raises(OSError, match="File too large"):
            backup(directory)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert list(directory.parent.iterdir()) == []


def test_nobody_else_may_read_it(directory: Path) -> None:
    backup(directory)
    assert {path.stat().st_mode & 0o077 for path in [directory, *directory.rglob("*")]} == {0}


def test_sessions_are_not_in_it(directory: Path) -> None:
    backup(directory)
    assert not (directory / "tables" / "django_session.copy").exists()


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
    write_some()
    backup(directory)
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
    write_some()
    backup(directory)
    damage(directory)
    before = state()
    with pytest.raises(BackupRefused, match=reason):
        restore(directory)
    assert state() == before


def test_a_file_that_changes_after_it_was_verified_is_noticed(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_some()
    backup(directory)
    before = state()
    verified = verify_backup(directory)
    _flip(directory)
    monkeypatch.setattr(restoring, "verify_backup", lambda _: verified)
    with pytest.raises(Exception, match=r"SHA-256|COPY|invalid"):
        restore(directory)
    assert state() == before


def test_a_restore_that_is_killed_in_the_middle_leaves_the_old_state(directory: Path) -> None:
    write_some()
    backup(directory)
    write_more()
    before = state()
    command = [sys.executable, "manage.py", "restore", str(directory), "--replace"]
    environ = {**os.environ, "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(command, cwd=ROOT, env=environ, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line == "committing\n":
                os.kill(process.pid, signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL
    assert state() == before


@contextmanager
def somebody_holds(lock: Callable[[], None]) -> Iterator[None]:
    """The tables locked in another transaction."""
    locked, may_end = threading.Event(), threading.Event()

    def hold() -> None:
        try:
            with transaction.atomic():
                lock()
                locked.set()
                may_end.wait(20)
        finally:
            connection.close()

    holder = threading.Thread(target=hold)
    holder.start()
    try:
        assert locked.wait(10)
        yield
    finally:
        may_end.set()
        holder.join()


def test_a_backup_is_refused_while_a_restore_runs(directory: Path) -> None:
    with somebody_holds(table_copy.begin_replacement), pytest.raises(BackupRefused, match="locked"):
        backup(directory)
    assert list(directory.parent.iterdir()) == []


def test_a_backup_that_waited_for_a_restore_holds_what_was_restored(
    directory: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Had it looked before it was let in, it would have found the tables empty."""
    monkeypatch.setattr(restoring, "SETTLE_SECONDS", 1.0)
    write_some()
    backup(directory)
    write_more()
    committing = threading.Event()

    def say(line: str) -> None:
        if line == "committing":
            committing.set()

    def restore_slowly() -> None:
        try:
            restoring.restore_backup(directory, directory, "command:tests", say, replace=True)
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        restored = pool.submit(restore_slowly)
        assert committing.wait(10)
        second = make_backup(tmp_path / "second", None, silent)
        restored.result()
    counts = {table.name: table.rows for table in second.tables}
    assert (counts["document"], second.epoch) == (20, read_topology().epoch)


def test_a_restore_is_refused_while_a_backup_runs(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(restoring, "LOCK_SECONDS", 0.0)
    write_some()
    backup(directory)
    before = state()
    with somebody_holds(table_copy.begin_snapshot), pytest.raises(BackupRefused, match="in use"):
        restore(directory)
    assert state() == before


def test_model_folders_are_in_it_and_come_back(directory: Path, model_folder: Path, model_root: Path) -> None:
    backup(directory, model_root)
    weights = (model_folder / "model.safetensors").read_bytes()
    restore(directory, model_root=model_root)
    elsewhere = model_root.with_name("other")
    restore(directory, model_root=elsewhere)
    assert (elsewhere / "family" / "small" / "model.safetensors").read_bytes() == weights
    assert (elsewhere / "family" / "small" / "pooling" / "config.json").read_text() == "{}"


def test_a_model_folder_with_another_content_is_never_written_over(
    directory: Path, model_folder: Path, model_root: Path
) -> None:
    backup(directory, model_root)
    (model_folder / "model.safetensors").write_bytes(b"others")
    before = state()
    with pytest.raises(BackupRefused, match="another model"):
        restore(directory, model_root=model_root)
    assert (model_folder / "model.safetensors").read_bytes() == b"others"
    assert state() == before


def test_links_in_a_model_folder_are_refused(directory: Path, model_folder: Path, model_root: Path) -> None:
    (model_folder / "vocab.txt").symlink_to("/etc/passwd")
    with pytest.raises(BackupRefused, match="link"):
        backup(directory, model_root)
    backup(directory)


def test_a_draft_without_its_folder_stops_no_backup(directory: Path, model_folder: Path, model_root: Path) -> None:
    draft = ModelRegistry.objects.create(model_id="typo", type="transformers", artifact="../x", dimension=8)
    said: list[str] = []
    try:
        manifest = make_backup(directory, model_root, said.append)
    finally:
        draft.delete()
    assert manifest.models == ("family/small",)
    assert [line for line in said if "../x" in line] != []
    registry.forget_cached()
    namespaces.forget_cached()
