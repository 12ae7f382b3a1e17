"""Jobs on Spark leave what jobs of processes leave, byte for byte."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from django.db import connection
from pyspark.sql import SparkSession

from bulk_ingest.engines.base import EngineRun
from bulk_ingest.job import Leader
from bulk_ingest.sources.raw import Columns
from bulk_ingest.spark.session import SessionRefused, check_settings
from embedding_project.config import load_config
from embeddings_app import registry
from embeddings_app.models import BulkBucket, BulkState, BulkWish, ModelRegistry, ModelStatus
from embeddings_app.services.bulk.jobs import want
from embeddings_app.services.model_versions.indexes import prepare_indexes
from tests.integration.bulk_loads import external_model, new_job, source_row, upsert_rows, write_lines
from tests.integration.indexing_steps import rows
from tests.integration.spark_suite.loads import Left, by_processes, by_spark, empty_again, lead, left_by

ROWS, BUCKET_ROWS = 300, 30
IDS = [f"doc/{number:04d}" for number in range(ROWS)]


@pytest.fixture
def version(database: str) -> Iterator[ModelRegistry]:
    with external_model() as made:
        yield made


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Rows in two files and of two formats, in no order, some ids again and again, and bad rows of several kinds."""
    folder = tmp_path / "source"
    folder.mkdir()
    first = [source_row(doc_id, f"first {doc_id} ü", {"n": place}) for place, doc_id in enumerate(IDS[:200])]
    columns = {name: [row[name] for row in first] for name in ("id", "text", "vector")}
    columns["metadata"] = [json.dumps(row["metadata"]) for row in first]
    pq.write_table(pa.table(columns), folder / "a.parquet", row_group_size=64)
    last = [source_row(doc_id, "last", {"t": ["x", None]}) for doc_id in reversed(IDS[150:])]
    bad: list[dict[str, Any]] = [
        {"id": "no vector"}, {"id": "short", "vector": [1.0]}, {"vector": last[0]["vector"]},
        {**last[0], "id": ""}, {**last[0], "metadata": 7}, {**last[0], "text": "\x00"},
    ]  # fmt: skip
    write_lines(folder / "b.jsonl", [*last[:40], *bad, *last[40:], *last[-3:]])
    return folder


def _left(source: Path, work: Path, engine: EngineRun) -> Left:
    """Of a job into a namespace that has some of the ids, one of them newer than the job."""
    empty_again()
    upsert_rows([source_row(doc_id, "online") for doc_id in IDS[::50]])
    upsert_rows([source_row(IDS[10], f"first {IDS[10]} ü", {"n": 10})])
    job = new_job(source, bucket_rows=BUCKET_ROWS)
    upsert_rows([source_row(IDS[20], "newer")])
    job = lead(job, work, engine)
    assert job.state == BulkState.DONE, job.error
    return left_by(job, work)


def test_both_engines_leave_the_same_rows_logs_digests_counts_and_rejects(
    version: ModelRegistry, source: Path, tmp_path: Path, session: SparkSession
) -> None:
    local = _left(source, tmp_path / "local", by_processes())
    spark = _left(source, tmp_path / "spark", by_spark(session))
    assert spark == local
    assert local.counts == {
        "read": 359,
        "inserted": 292,
        "updated": 6,
        "unchanged": 1,
        "superseded": 1,
        "duplicates": 53,
        "rejected": 6,
    }
    assert len(local.rejects) == 6
    assert sum(digest.documents for digest in local.digests) == ROWS


def test_texts_are_embedded_to_the_same_vectors(database: str, tmp_path: Path, session: SparkSession) -> None:
    version = ModelRegistry.objects.create(
        model_id="hashed", type="transformers", artifact="hashing:", dimension=32, status=ModelStatus.ACTIVE
    )
    prepare_indexes(version)
    registry.forget_cached()
    texts = [{"id": doc_id, "text": f"text {place % 40}"} for place, doc_id in enumerate(IDS)]
    source = write_lines(tmp_path / "texts.jsonl", [*texts, {"id": "no text"}, {"id": IDS[7], "text": "again"}])
    found = []
    for name, engine in (("local", by_processes()), ("spark", by_spark(session))):
        empty_again()
        columns = Columns(vector=None)
        job = new_job(source, bucket_rows=BUCKET_ROWS, columns=columns, model_id="hashed", namespace="texts")
        job = lead(job, tmp_path / name, engine)
        assert job.state == BulkState.DONE, job.error
        found.append(left_by(job, tmp_path / name))
    assert found[0] == found[1]
    assert found[0].counts["inserted"] == ROWS
    assert all(len(document[-1]) == 4 * 32 for document in found[0].documents)


def test_a_job_that_was_paused_goes_on_with_the_buckets_that_are_left(
    version: ModelRegistry, source: Path, tmp_path: Path, session: SparkSession
) -> None:
    whole = _left(source, tmp_path / "whole", by_spark(session))
    empty_again()
    upsert_rows([source_row(doc_id, "online") for doc_id in IDS[::50]])
    upsert_rows([source_row(IDS[10], f"first {IDS[10]} ü", {"n": 10})])
    job = new_job(source, bucket_rows=BUCKET_ROWS)
    upsert_rows([source_row(IDS[20], "newer")])
    with connection.cursor() as cursor:
        # As if somebody asked for the pause while the fourth bucket is loaded.
        cursor.execute(_PAUSE_AT_A_BUCKET, [job.pk])
    try:
        job = lead(job, tmp_path, by_spark(session))
        assert (job.state, job.wanted) == (BulkState.LOADING, BulkWish.PAUSE)
        loaded = BulkBucket.objects.count()
        assert 0 < loaded < len(job.splitters) + 1
    finally:
        with connection.cursor() as cursor:
            cursor.execute("DROP TRIGGER pause_at_a_bucket ON bulk_bucket")
    want(job, BulkWish.RUN, "the suite")
    assert lead(job, tmp_path, by_spark(session)).state == BulkState.DONE
    again = left_by(job, tmp_path)
    assert (again.documents, again.digests) == (whole.documents, whole.digests)


_PAUSE_AT_A_BUCKET = """
CREATE OR REPLACE FUNCTION pause_at_a_bucket() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE bulk_job SET wanted = 'pause' WHERE id = NEW.job_id AND NEW.number >= 4;
    RETURN NULL;
END $$;
CREATE TRIGGER pause_at_a_bucket AFTER INSERT ON bulk_bucket FOR EACH ROW WHEN (NEW.job_id = %s)
EXECUTE FUNCTION pause_at_a_bucket()
"""


def test_a_job_fails_with_what_was_wrong(
    version: ModelRegistry, source: Path, tmp_path: Path, session: SparkSession
) -> None:
    job = lead(new_job(source, max_rejects=5), tmp_path, by_spark(session))
    assert (job.state, job.error) == (BulkState.FAILED, f"{source / 'b.jsonl'}: more than 5 rows are rejected")
    want(job, BulkWish.ABORT, "the suite")
    lead(job, tmp_path, by_processes())
    upsert_rows([source_row(IDS[0])])
    job = lead(new_job(source, on_existing="fail"), tmp_path, by_spark(session))
    assert "exists, and the job was told to fail then" in job.error
    want(job, BulkWish.ABORT, "the suite")
    lead(job, tmp_path, by_processes())


def test_files_that_give_other_rows_than_at_the_count_are_refused(
    version: ModelRegistry, source: Path, tmp_path: Path, session: SparkSession
) -> None:
    job = new_job(source)
    with by_spark(session) as engine:
        Leader("the suite", tmp_path, by_spark(session))._spread(job, engine, lambda: True)
    # The rejects of the count say which rows are left out; without them keys would be given twice.
    for path in tmp_path.rglob("*.jsonl"):
        if path.parent.name == "rejects":
            path.write_text(json.dumps({"row": 1}) + "\n")
    job = lead(job, tmp_path, by_spark(session))
    assert job.state == BulkState.FAILED
    assert "the files have" in job.error
    assert rows("SELECT count(*) FROM document WHERE id >= 1099511627776 AND revision > 1") == [(0,)]


def test_no_secret_is_in_what_spark_shows_or_keeps(session: SparkSession, event_log: Path) -> None:
    shown = session.sparkContext.getConf().toDebugString()
    logged = "".join(path.read_text() for path in event_log.rglob("*") if path.is_file())
    assert "SparkListenerJobEnd" in logged
    password = load_config().database_url.split(":")[2].partition("@")[0]
    for secret in (password, load_config().secret_key):
        assert secret not in shown
        assert secret not in logged


def test_speculation_is_refused() -> None:
    check_settings({"spark.speculation": "false"})
    check_settings({})
    with pytest.raises(SessionRefused, match=r"spark\.speculation must be false"):
        check_settings({"spark.speculation": "true"})
