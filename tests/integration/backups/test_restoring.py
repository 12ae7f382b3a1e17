"""Backup and restore in one database: everything comes back, or nothing changes."""

import hashlib
import json
import resource
import threading
import uuid
from collections.abc import Sequence
from pathlib import Path

import pytest
from django.db import IntegrityError, connection
from redis.exceptions import RedisError

from embedding_project.contracts.model_spec import ModelSpec
from embeddings_app.models import ApiKey
from embeddings_app.records.topology import read_topology
from embeddings_app.services.access.api_keys import KeyGrant, create_key, revoke_key
from embeddings_app.services.backups.epoch import empty_cache
from embeddings_app.services.backups.errors import BackupRefused
from embeddings_app.services.embedding.cache import cached_vectors
from embeddings_app.services.embedding.embed import EmbedOutcome
from tests.integration.backups.steps import backup, restore, state, write_more, write_some
from tests.integration.indexing_steps import embed, frame, index, make_due, put, record, rows, until_cached
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
    (counter,) = rows("SELECT min(id) FROM shard_counter")[0]
    with pytest.raises(IntegrityError, match="foreign key"):
        rows("SET CONSTRAINTS ALL IMMEDIATE; UPDATE shard_counter SET model_version_id = 999999 WHERE id = %s", counter)


def test_vectors_are_stored_after_a_restore_as_before(directory: Path) -> None:
    storage = """
        SELECT c.relname, a.attstorage, c.reloptions FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
        JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'vector'
        WHERE i.inhparent = 'embedding_vector'::regclass ORDER BY 1
        """
    before = rows(storage)
    assert before
    backup(directory)
    restore(directory)
    assert rows(storage) == before


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
        assert writing.wait(60)
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
    until_cached(SPEC, key, frame("text", SPEC.dimension))
    assert restore(directory).cache_emptied
    assert vectors.find(SPEC, [key]) == {}


@pytest.mark.parametrize(("silences", "emptied"), [(2, True), (1_000_000, False)])
def test_a_moments_silence_leaves_nothing_in_the_cache(silences: int, emptied: bool) -> None:
    left = iter(range(silences))

    def clear() -> None:
        if next(left, None) is not None:
            raise RedisError("the cache says nothing")

    assert empty_cache(clear, patience_seconds=0.5) == emptied


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
