"""Bulk jobs from object storage: files listed, read by ranges, refused once they changed, whatever the server does."""

import gzip
import io
import json
import os
import signal
import threading
from collections.abc import Iterator

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bulk_ingest.sources.files import check_unchanged, list_files, parts_of, read, sample
from bulk_ingest.sources.objects import ObjectFile, etag, patient
from bulk_ingest.sources.raw import Columns, SourceError
from embeddings_app.models import BulkFile, BulkJob
from tests.integration.bulk_commands import ended, started_commands
from tests.integration.bulk_loads import MODEL, SPACE, external_model, source_row
from tests.integration.indexing_steps import rows
from tests.s3_server import BUCKET, S3Server, s3_server

ROWS = [source_row(f"doc/{number:05d}", f"text {number}") for number in range(10_000)]
LINES = "".join(f"{json.dumps(row)}\n" for row in ROWS).encode()
STOP_SECONDS = 10.0


@pytest.fixture(scope="module")
def server() -> Iterator[S3Server]:
    with s3_server() as running, pytest.MonkeyPatch.context() as patch:
        for name, value in running.environment.items():
            patch.setenv(name, value)
        yield running


def _parquet(row_group: int = 1_000) -> bytes:
    columns = {name: [row[name] for row in ROWS] for name in ("id", "text", "vector")}
    out = io.BytesIO()
    pq.write_table(pa.table(columns), out, row_group_size=row_group)
    return out.getvalue()


def _ids(pattern: str) -> list[str]:
    found = list_files([pattern], "auto")
    return [doc_id for file in found for batch in read(file, Columns()) for doc_id in batch.doc_ids]


def test_prefixes_patterns_and_objects_are_listed_in_order(server: S3Server) -> None:
    for name in ("b.jsonl", "a.jsonl", "_SUCCESS", ".hidden.jsonl", "deep/c.jsonl", "d.pq"):
        server.put(f"listed/{name}", b"{}\n")
    server.put("listed-not/a.jsonl", b"{}\n")

    def names(pattern: str) -> list[str]:
        prefix = f"s3://{BUCKET}/listed/"
        return [file.path.removeprefix(prefix) for file in list_files([pattern], "auto")]

    for prefix in (f"s3://{BUCKET}/listed", f"s3://{BUCKET}/listed/"):
        assert names(prefix) == ["a.jsonl", "b.jsonl", "d.pq", "deep/c.jsonl"]
    assert names(f"s3://{BUCKET}/listed/*.jsonl") == ["a.jsonl", "b.jsonl", "deep/c.jsonl"]
    assert names(f"s3://{BUCKET}/listed/[ab].jsonl") == ["a.jsonl", "b.jsonl"]
    (one,) = list_files([f"s3://{BUCKET}/listed/a.jsonl"], "auto")
    assert (one.size, one.format, one.etag) == (3, "jsonl", etag(one.path))
    assert one.etag


def test_every_format_is_read_as_from_a_disk(server: S3Server) -> None:
    contents = {
        "a.jsonl": LINES,
        "a.jsonl.gz": gzip.compress(LINES),
        "a.jsonl.zst": pa.compress(LINES, codec="zstd", asbytes=True),
        "a.parquet": _parquet(),
    }
    expected = [row["id"] for row in ROWS]
    for name, content in contents.items():
        assert _ids(server.put(f"formats/{name}", content)) == expected


def test_a_part_of_a_parquet_file_is_read_by_its_ranges(server: S3Server) -> None:
    (file,) = list_files([server.put("parts/a.parquet", _parquet())], "auto")
    assert sample(file, Columns(), 100).rows == len(ROWS)
    parts = parts_of(file, 4_000)
    assert [part.groups for part in parts] == [(0, 4), (4, 8), (8, 10)]
    (first, *_) = read(parts[1], Columns())
    assert (first.first_row, first.doc_ids[0]) == (4_001, "doc/04000")


def test_an_object_that_changed_since_the_plan_is_refused(server: S3Server) -> None:
    address = server.put("changed/a.jsonl", LINES)
    (file,) = list_files([address], "auto")
    server.put("changed/a.jsonl", LINES.replace(b"text 1", b"text 2"))
    with pytest.raises(SourceError, match="changed since the job was planned"):
        check_unchanged(file)
    with pytest.raises(SourceError, match="changed since the job was planned"):
        list(read(file, Columns()))


@pytest.mark.parametrize(
    "address", ["s3://corpus/none", "s3://corpus/none.jsonl", "s3://no-such-bucket/a", "s3://corpus/x/*.pq"]
)
def test_what_is_not_there_is_named(server: S3Server, address: str) -> None:
    with pytest.raises(SourceError, match="no such"):
        list_files([address], "auto")


def test_an_address_with_credentials_is_not_repeated(server: S3Server) -> None:
    with pytest.raises(SourceError, match="credentials come from the environment alone") as refused:
        list_files(["s3://name:secret@bucket/a"], "auto")
    assert "secret" not in str(refused.value)


def test_a_server_that_refuses_the_credentials_is_not_asked_again(server: S3Server) -> None:
    address = server.put("refused/a.jsonl", LINES)
    with server.refusing(), pytest.raises(SourceError, match="refuses access") as refused:
        list_files([address], "auto")
    assert "tests" not in str(refused.value)


def test_a_server_that_stops_for_ten_seconds_costs_time_only(server: S3Server) -> None:
    (file,) = list_files([server.put("stops/a.jsonl", LINES * 20)], "auto")
    batches = read(file, Columns())
    assert next(batches).doc_ids[0] == "doc/00000"
    with server.stopped():
        going_on = threading.Timer(STOP_SECONDS, os.kill, (server.pid, signal.SIGCONT))
        going_on.start()
        left = sum(len(batch.doc_ids) for batch in batches)
    going_on.join()
    assert left == 20 * len(ROWS) - 4_096


def test_a_server_that_stays_away_ends_with_its_name() -> None:
    def away() -> bytes:
        raise OSError("AWS Error NETWORK_CONNECTION during GetObject operation: secret")

    with pytest.raises(SourceError, match=r"^s3://b/k: the server did not answer for 0 s$"):
        patient("s3://b/k", away, seconds=0.0)


def test_an_object_is_read_as_a_file(server: S3Server) -> None:
    address = server.put("file/a.bin", bytes(range(256)) * 100)
    with ObjectFile(address, 25_600, etag(address)) as file:
        assert (file.seek(-2, io.SEEK_END), file.read()) == (25_598, bytes([254, 255]))
        assert (file.seek(10), file.read(3), file.tell()) == (10, bytes([10, 11, 12]), 13)
        assert file.seek(1, io.SEEK_CUR) == 14


def test_a_job_loads_objects_and_keeps_no_credentials(database: str, server: S3Server) -> None:
    server.put("job/a.jsonl.gz", gzip.compress(LINES))
    server.put("job/b.parquet", _parquet())
    options = ("--namespace", SPACE, "--model-id", MODEL, "--bucket-rows", 2_000)
    with external_model(), started_commands() as start:
        code, out, err = ended(start("run", f"s3://{BUCKET}/job", *options))
        assert code == 0, err
        job = BulkJob.objects.get()
        assert (job.counts["inserted"], job.counts["duplicates"]) == (len(ROWS), len(ROWS))
        found = [out, err, *map(str, rows("SELECT j::text FROM bulk_job j UNION ALL SELECT f::text FROM bulk_file f"))]
        assert not [text for text in found if "of-tests" in text or server.url in text]
        assert set(BulkFile.objects.values_list("path", flat=True)) == {
            f"s3://{BUCKET}/job/a.jsonl.gz",
            f"s3://{BUCKET}/job/b.parquet",
        }
