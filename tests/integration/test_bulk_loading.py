"""Buckets in Postgres: rows as an upsert writes them, exactly once, and what happens when clients write meanwhile."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.db import connection, transaction

from bulk_ingest import under_way
from bulk_ingest.loading import BucketRefused, load_bucket
from embedding_project.config import load_config
from embeddings_app.models import BulkBlock, BulkJob, BulkState, ModelRegistry, Namespace
from embeddings_app.records import bulk_jobs, bulk_loading, model_locks, words
from embeddings_app.records.vector_partitions import vector_partition
from embeddings_app.services.documents.deleting import delete
from tests.integration.bulk_commands import until
from tests.integration.bulk_loads import (
    MODEL,
    SPACE,
    external_model,
    source_row,
    spread_job,
    upsert_rows,
    write_lines,
)
from tests.integration.bulk_steps import seen_by_nodes, told_by_the_log, touched
from tests.integration.indexing_steps import in_thread, rows

COLUMNS_OF_ROWS = """
SELECT d.doc_id, d.text, d.metadata::text, d.content_hash, d.revision, d.text_revision, d.deleted, d.shard_hash,
       r.text_revision, r.content_hash, r.state, r.lease_until, r.attempts, r.batch_limit, r.last_error,
       v.text_revision, v.vector
FROM document d JOIN namespace n ON n.id = d.namespace_id
LEFT JOIN embedding_record r ON r.document_id = d.id
LEFT JOIN embedding_vector v ON v.document_id = d.id AND v.model_version_id = r.model_version_id
WHERE n.name = %s ORDER BY d.doc_id
"""
"""All but keys and times, which are checked apart."""


@pytest.fixture
def version(database: str) -> Iterator[ModelRegistry]:
    with external_model() as made:
        yield made


@pytest.fixture
def slow_samples(database: str) -> Iterator[None]:
    """Sampling a table takes a second, as it may with millions of rows, and a connection gives a statement half."""
    with psycopg.connect(load_config().database_url, autocommit=True) as other:
        other.execute("CREATE FUNCTION slowly(bigint) RETURNS bigint IMMUTABLE LANGUAGE sql AS 'SELECT $1'")
        other.execute("CREATE INDEX slow ON document (slowly(id))")
        other.execute(
            """
            CREATE OR REPLACE FUNCTION slowly(bigint) RETURNS bigint IMMUTABLE LANGUAGE plpgsql
            AS 'BEGIN PERFORM pg_sleep(0.025); RETURN $1; END'
            """
        )
        try:
            yield
        finally:
            other.execute("DROP INDEX slow")
            other.execute("DROP FUNCTION slowly(bigint)")


def _lines(folder: Path, *rows: dict[str, Any]) -> Path:
    return write_lines(folder / "rows.jsonl", rows)


def _many() -> list[dict[str, Any]]:
    found = [
        source_row(f"doc/{number:03d}", f"text {number} ü\n\"'\\", {"n": number, "f": number / 3, "t": ["a", None]})
        for number in range(40)
    ]
    return [
        *found,
        source_row("without text"),
        source_row("zero", "text", {}),
        source_row("ü/ß", " text ", {"big": 2**63}),
    ]


def _revision(doc_id: str) -> tuple[int, str, bool]:
    return rows("SELECT revision, text, deleted FROM document WHERE doc_id = %s", doc_id)[0]


def test_the_rows_are_those_that_an_upsert_of_the_same_input_writes(version: ModelRegistry, tmp_path: Path) -> None:
    upsert_rows(_many(), "online")
    loaded = spread_job(_lines(tmp_path, *_many()), tmp_path)
    assert loaded.load() == {"inserted": len(_many())}
    online = rows(COLUMNS_OF_ROWS, "online")
    # The namespace is part of what decides the shard.
    assert [row[:7] + row[8:] for row in rows(COLUMNS_OF_ROWS, SPACE)] == [row[:7] + row[8:] for row in online]
    upsert_rows(_many())
    assert rows("SELECT DISTINCT revision FROM document") == [(1,)]


def test_keys_follow_the_ids_and_times_are_those_of_the_transaction(version: ModelRegistry, tmp_path: Path) -> None:
    loaded = spread_job(_lines(tmp_path, *reversed(_many())), tmp_path)
    loaded.load()
    block = BulkBlock.objects.get(pk=loaded.job.pk)
    keys = rows("SELECT id FROM document ORDER BY doc_id")
    assert [key for (key,) in keys] == list(range(block.first_key, block.last_key + 1))
    times = "SELECT count(*) FROM {} WHERE abs(extract(epoch FROM now() - created_at)) > 60"
    assert rows(times.format("document")) == rows(times.format("embedding_record")) == [(0,)]
    assert rows("SELECT count(*) FROM document WHERE created_at <> updated_at") == [(0,)]


def test_nothing_is_in_the_log_nor_seen_by_nodes(version: ModelRegistry, tmp_path: Path) -> None:
    spread_job(_lines(tmp_path, *_many()), tmp_path).load()
    assert rows("SELECT count(*) FROM shard_change") == [(0,)]
    assert seen_by_nodes(version.pk) == set()


def test_a_bucket_is_loaded_once_however_often_it_is_asked_for(version: ModelRegistry, tmp_path: Path) -> None:
    loaded = spread_job(_lines(tmp_path, *_many()), tmp_path)
    loaded.load()
    before = rows("SELECT id, xmin::text FROM document ORDER BY id")
    assert loaded.load() == {"inserted": len(_many())}
    assert rows("SELECT id, xmin::text FROM document ORDER BY id") == before


def test_a_second_attempt_waits_for_the_first(version: ModelRegistry, tmp_path: Path) -> None:
    loaded = spread_job(_lines(tmp_path, *_many()), tmp_path, bucket_rows=1_000)
    (task,) = loaded.tasks()
    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            assert load_bucket(task)
            second = pool.submit(in_thread, load_bucket, task)
            with pytest.raises(TimeoutError):
                second.result(0.5)
        assert second.result(60)
    assert rows("SELECT count(*) FROM document") == [(len(_many()),)]


def test_an_attempt_that_failed_leaves_nothing_and_the_next_gives_the_same_keys(
    version: ModelRegistry, tmp_path: Path
) -> None:
    loaded = spread_job(_lines(tmp_path, *_many()), tmp_path, bucket_rows=1_000)
    (task,) = loaded.tasks()
    with transaction.atomic():
        load_bucket(task)
        first = rows("SELECT id, doc_id FROM document ORDER BY id")
        transaction.set_rollback(True)
    assert rows("SELECT 1 FROM document UNION ALL SELECT 1 FROM bulk_bucket") == []
    load_bucket(task)
    assert rows("SELECT id, doc_id FROM document ORDER BY id") == first


def test_the_last_of_equal_ids_is_loaded(version: ModelRegistry, tmp_path: Path) -> None:
    path = _lines(tmp_path, source_row("a", "first"), source_row("b", "text"), source_row("a", "last"))
    assert spread_job(path, tmp_path).load() == {"inserted": 2, "duplicates": 1}
    assert _revision("a") == (1, "last", False)


def test_documents_that_exist_are_updated_with_their_entry_of_the_log(version: ModelRegistry, tmp_path: Path) -> None:
    upsert_rows(
        [source_row("same", "text", {"n": 1}), source_row("new text", "old"), source_row("metadata", "m", {"n": 1})]
    )
    entries = rows("SELECT count(*) FROM shard_change")[0][0]
    path = _lines(
        tmp_path,
        source_row("same", "text", {"n": 1.0}),
        source_row("new text", "new"),
        source_row("metadata", "m", {"n": 2}),
        source_row("another"),
    )
    loaded = spread_job(path, tmp_path)
    assert loaded.load() == {"inserted": 1, "updated": 2, "unchanged": 1}
    assert _revision("new text") == (2, "new", False)
    assert rows("SELECT count(*) FROM shard_change") == [(entries + 2,)]
    for doc_id in ("new text", "metadata"):
        ((key,),) = rows("SELECT id FROM document WHERE doc_id = %s", doc_id)
        assert told_by_the_log(key) == (2, False, True)


def test_documents_that_exist_can_be_skipped(version: ModelRegistry, tmp_path: Path) -> None:
    upsert_rows([source_row("a", "old")])
    path = _lines(tmp_path, source_row("a", "new"), source_row("b"))
    assert spread_job(path, tmp_path, on_existing="skip").load() == {"inserted": 1, "unchanged": 1}
    assert _revision("a") == (1, "old", False)


def test_documents_that_exist_can_end_the_job(version: ModelRegistry, tmp_path: Path) -> None:
    upsert_rows([source_row("b", "old")])
    loaded = spread_job(_lines(tmp_path, source_row("a"), source_row("b")), tmp_path, on_existing="fail")
    with pytest.raises(BucketRefused, match="'b' exists"):
        loaded.load()
    assert rows("SELECT doc_id FROM document") == [("b",)]


@pytest.mark.parametrize("on_existing", ["update", "skip", "fail"])
def test_a_document_deleted_before_the_job_is_written_again(
    version: ModelRegistry, tmp_path: Path, on_existing: Any
) -> None:
    upsert_rows([source_row("a", "old")])
    delete(SPACE, "a")
    loaded = spread_job(_lines(tmp_path, source_row("a", "new")), tmp_path, on_existing=on_existing)
    assert loaded.load() == {"updated": 1}
    assert _revision("a") == (3, "new", False)


def test_a_document_whose_time_was_over_is_written_again(version: ModelRegistry, tmp_path: Path) -> None:
    upsert_rows([source_row("a", "old") | {"expires_at": "2099-01-01T00:00:00Z"}])
    rows("UPDATE document SET expires_at = now() - interval '1 s', updated_at = now() - interval '1 h' RETURNING 1")
    loaded = spread_job(_lines(tmp_path, source_row("a", "new")), tmp_path, on_existing="skip")
    assert loaded.load() == {"updated": 1}
    assert rows("SELECT text, expires_at FROM document") == [("new", None)]


def test_what_clients_wrote_and_deleted_since_the_job_was_made_is_newer(version: ModelRegistry, tmp_path: Path) -> None:
    upsert_rows([source_row("deleted"), source_row("changed", "old"), source_row("older", "old")])
    path = _lines(tmp_path, *(source_row(doc_id, "loaded") for doc_id in ("deleted", "changed", "inserted", "older")))
    loaded = spread_job(path, tmp_path)
    time.sleep(0.01)
    upsert_rows([source_row("inserted", "online"), source_row("changed", "online")])
    delete(SPACE, "deleted")
    assert loaded.load() == {"updated": 1, "superseded": 3}
    assert [_revision(doc_id) for doc_id in ("inserted", "changed", "deleted", "older")] == [
        (1, "online", False),
        (2, "online", False),
        (2, "", True),
        (2, "loaded", False),
    ]


def test_an_insert_by_a_client_that_is_under_way_wins(version: ModelRegistry, tmp_path: Path) -> None:
    loaded = spread_job(_lines(tmp_path, *_many()), tmp_path, bucket_rows=1_000)
    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            upsert_rows([source_row("doc/007", "online")])
            loading = pool.submit(in_thread, loaded.load)
            with pytest.raises(TimeoutError):
                loading.result(0.5)
        assert loading.result(60) == {"inserted": len(_many()) - 1, "superseded": 1}
    assert _revision("doc/007") == (1, "online", False)


def test_clients_change_and_delete_what_was_loaded(version: ModelRegistry, tmp_path: Path) -> None:
    loaded = spread_job(_lines(tmp_path, *(source_row(doc_id, doc_id) for doc_id in "abcd")), tmp_path)
    loaded.load()
    keys = dict(rows("SELECT doc_id, id FROM document"))
    upsert_rows([source_row("a", "new"), source_row("b", "b", {"n": 1}), source_row("c", "c")])
    delete(SPACE, "d")
    assert touched(loaded.job) == [keys["a"], keys["b"], keys["d"]]
    assert [told_by_the_log(keys[doc_id]) for doc_id in "abcd"] == [
        (2, False, True),
        (2, False, True),
        (0, False, False),
        (2, True, False),
    ]
    assert seen_by_nodes(version.pk) == {(keys["a"], 2), (keys["b"], 2)}


def test_texts_are_not_kept_where_the_namespace_keeps_none(version: ModelRegistry, tmp_path: Path) -> None:
    rows("INSERT INTO namespace (name, model_id, store_text, fields, created_at) VALUES (%s, %s, false, '{}', now()) "
         "RETURNING 1", SPACE, MODEL)  # fmt: skip
    upsert_rows([source_row("online", "secret")])
    spread_job(_lines(tmp_path, source_row("a", "secret"), source_row("online", "secret")), tmp_path).load()
    assert rows("SELECT doc_id, text, revision FROM document ORDER BY 1") == [("a", "", 1), ("online", "", 1)]
    upsert_rows([source_row("a", "secret")])
    assert _revision("a") == (1, "", False)


def test_the_words_of_rows_are_kept_where_the_namespace_has_text_search(version: ModelRegistry, tmp_path: Path) -> None:
    rows("INSERT INTO namespace (name, model_id, store_text, text_search, fields, created_at) "
         "VALUES (%s, %s, true, 'english', '{}', now()) RETURNING 1", SPACE, MODEL)  # fmt: skip
    upsert_rows([source_row("online", "an owl waits")])
    spread_job(_lines(tmp_path, source_row("a", "red foxes"), source_row("online", "a heron waits")), tmp_path).load()
    found = "SELECT doc_id FROM document d JOIN document_words w ON w.document_id = d.id WHERE w.words @@ %s::tsquery"
    assert [rows(found, word) for word in ("fox", "heron", "owl")] == [[("a",)], [("online",)], []]
    # By them, a search tells how frequent a word is.
    bulk_loading.refresh_statistics(version.pk, lambda: True, with_words=True)
    assert rows("SELECT reltuples FROM pg_class WHERE oid = 'document_words'::regclass") == [(2.0,)]


def test_words_follow_a_setting_that_changes_while_a_bucket_waits(version: ModelRegistry, tmp_path: Path) -> None:
    upsert_rows([source_row("online", "an owl waits")])
    task = next(spread_job(_lines(tmp_path, source_row("online", "a heron waits")), tmp_path).tasks())
    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            model_locks.lock_exclusive(MODEL)
            loading = pool.submit(in_thread, load_bucket, task)
            until = time.monotonic() + 60
            waits = (
                "SELECT 1 FROM pg_locks l JOIN pg_database d ON d.oid = l.database AND d.datname = current_database()"
            )
            while not rows(f"{waits} WHERE locktype = 'advisory' AND NOT granted"):
                assert time.monotonic() < until
                time.sleep(0.01)
            words.set_language(Namespace.objects.get(name=SPACE), "english")
        assert loading.result()
    assert rows("SELECT count(*) FROM document_words WHERE words @@ 'heron'::tsquery") == [(1,)]


def test_a_job_that_ended_takes_no_more_buckets(version: ModelRegistry, tmp_path: Path) -> None:
    loaded = spread_job(_lines(tmp_path, *_many()), tmp_path)
    for state in (BulkState.ABORTING, BulkState.FAILED, BulkState.REGISTERING):
        BulkJob.objects.filter(pk=loaded.job.pk).update(state=state)
        assert [load_bucket(task) for task in loaded.tasks()] == [False] * (len(loaded.job.splitters) + 1)
    BulkJob.objects.filter(pk=loaded.job.pk).update(state=BulkState.LOADING, epoch="0" * 32)
    assert not load_bucket(next(loaded.tasks()))
    assert rows("SELECT 1 FROM document") == []


def test_rejects_are_counted_and_the_fields_of_the_others_are_claimed(version: ModelRegistry, tmp_path: Path) -> None:
    bad: list[dict[str, Any]] = [{"id": "x"}, {"id": "", "vector": [1.0] * 8}, {"id": "y", "vector": [0.0] * 8}]
    loaded = spread_job(_lines(tmp_path, *bad, source_row("a", "text", {"n": 1, "o": {"p": 2}})), tmp_path)
    assert loaded.load() == {"inserted": 1}
    counts = bulk_jobs.count_rows(loaded.job.pk)
    assert (counts.read, counts.rejected) == (4, 3)
    assert rows("SELECT fields FROM namespace WHERE name = %s", SPACE) == [(["n", "o.p"],)]
    connection.close()


def test_a_bucket_says_how_far_it_is_before_it_commits(version: ModelRegistry, tmp_path: Path) -> None:
    loaded = spread_job(
        write_lines(tmp_path / "rows.jsonl", [source_row(f"d{number}") for number in range(8)]), tmp_path
    )
    with psycopg.connect(load_config().database_url) as other, ThreadPoolExecutor(1) as pool:
        # The documents are copied before the records.
        other.execute("LOCK TABLE embedding_record IN ACCESS EXCLUSIVE MODE")
        loading = pool.submit(in_thread, loaded.load)
        assert 0 < until(lambda: under_way.moved(tmp_path).rows) <= 8
        other.rollback()
        assert loading.result() == {"inserted": 8}
    assert under_way.moved(tmp_path).rows == 0


def test_statistics_take_their_time_and_wait_for_who_holds_a_table(
    version: ModelRegistry, tmp_path: Path, slow_samples: None
) -> None:
    for task in spread_job(_lines(tmp_path, *_many()), tmp_path).tasks():
        assert load_bucket(task)
    with psycopg.connect(load_config().database_url) as other, ThreadPoolExecutor(1) as pool:
        other.execute("LOCK TABLE embedding_record IN SHARE UPDATE EXCLUSIVE MODE")
        with connection.cursor() as cursor:
            cursor.execute("SET statement_timeout = 500; SET lock_timeout = 100")
        try:
            pool.submit(lambda: (time.sleep(0.5), other.rollback()))
            bulk_loading.refresh_statistics(version.pk, lambda: True)
        finally:
            connection.close()
    ((documents,),) = rows("SELECT count(*) FROM document")
    assert set(_known_rows(version).values()) == {documents}


def _known_rows(version: ModelRegistry) -> dict[str, float]:
    """What the planner believes."""
    tables = ["document", "embedding_record", vector_partition(version.pk)]
    return dict(rows("SELECT relname, reltuples FROM pg_class WHERE relname = ANY(%s)", tables))


def test_a_pause_waits_for_the_statistics_of_one_table_at_most(version: ModelRegistry, tmp_path: Path) -> None:
    for task in spread_job(_lines(tmp_path, *_many()), tmp_path).tasks():
        assert load_bucket(task)
    before, wanted = _known_rows(version), iter([True, True, False])
    with psycopg.connect(load_config().database_url) as other:
        other.execute("LOCK TABLE embedding_record IN SHARE UPDATE EXCLUSIVE MODE")
        bulk_loading.refresh_statistics(version.pk, lambda: next(wanted), table_seconds=3)
    ((documents,),) = rows("SELECT count(*) FROM document")
    assert _known_rows(version) == {**before, "document": documents}


def hold_as_a_bucket(connection: psycopg.Connection[Any], job_key: int) -> None:
    connection.execute("SELECT pg_advisory_xact_lock_shared(hashtextextended(%s, 0))", [f"bulk:{job_key}"])


@pytest.mark.parametrize("job_key", range(1, 9))
def test_an_abort_ends_buckets_that_go_on_and_no_others(job_key: int, database: str) -> None:
    with psycopg.connect(database) as lasting, psycopg.connect(database) as other:
        hold_as_a_bucket(lasting, job_key)
        hold_as_a_bucket(other, 100 + job_key)
        bulk_loading.wait_for_buckets(job_key, patience_seconds=0.05)
        with pytest.raises(psycopg.OperationalError):
            lasting.execute("SELECT 1")
        other.execute("SELECT 1")


def test_an_abort_lets_a_bucket_end_that_is_under_way(database: str) -> None:
    with psycopg.connect(database) as quick, ThreadPoolExecutor() as pool:
        hold_as_a_bucket(quick, 1)
        abort = pool.submit(in_thread, bulk_loading.wait_for_buckets, 1)
        until(lambda: rows("SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted") == [(1,)])
        quick.execute("SELECT 1")
        assert not abort.done()
        quick.commit()
        abort.result()
        quick.execute("SELECT 1")
