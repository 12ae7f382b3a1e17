"""Bulk jobs that embed texts: rows as an upsert of the same input leaves them, rejects, and what is not embedded."""

import json
import shutil
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from bulk_ingest.embedded_texts import own_embedder
from bulk_ingest.loading import load_bucket
from bulk_ingest.rejects import read_rejects
from bulk_ingest.sources.raw import Columns
from embedding_project.contracts.model_spec import ModelSpec
from embedding_project.contracts.vectors import from_bytes
from embeddings_app import registry
from embeddings_app.models import BulkBucket, BulkJob, BulkState, BulkWish
from embeddings_app.records import bulk_jobs
from embeddings_app.services.bulk.jobs import want
from embeddings_app.services.documents.deleting import delete
from embeddings_app.services.embedding.embed import EmbedOutcome
from tests.integration.bulk_commands import WORK, Start, ended, started_commands, until
from tests.integration.bulk_loads import SPACE, spread_job, upsert_rows, write_lines
from tests.integration.indexing_steps import index, rows
from tests.integration.test_bulk_loading import COLUMNS_OF_ROWS

TEXTS = Columns(vector=None)
UNREADABLE = "\ufe0f"
"""The packaged model reads nothing of it."""


@pytest.fixture
def start() -> Iterator[Start]:
    with started_commands() as run:
        yield run


@pytest.fixture(autouse=True)
def _one_thread(database: str) -> Iterator[None]:
    threads = torch.get_num_threads()
    shutil.rmtree(WORK, ignore_errors=True)
    yield
    torch.set_num_threads(threads)
    shutil.rmtree(WORK, ignore_errors=True)


def _rows() -> list[dict[str, Any]]:
    found = [
        {"id": f"doc/{number:03d}", "text": f" The {number}th text ü\n" * (number % 5 + 1), "metadata": {"n": number}}
        for number in range(30)
    ]
    return [*found, {"id": "again", "text": "The 1th text ü"}]


def _online(items: Sequence[dict[str, Any]], namespace: str) -> None:
    upsert_rows(items, namespace, model_id=None)
    index(_embedded)


def _embedded(spec: ModelSpec, texts: Sequence[str]) -> list[EmbedOutcome]:
    found = own_embedder(spec).embed(texts)
    return [
        EmbedOutcome(vector=vector, tokens=1, truncated=False, cached=False, error=None) for vector in found.vectors
    ]


def _lines(folder: Path, items: Sequence[dict[str, Any]]) -> Path:
    return write_lines(folder / "rows.jsonl", items)


def _spread(folder: Path, items: Sequence[dict[str, Any]], **options: Any) -> Any:
    return spread_job(_lines(folder, items), folder, columns=TEXTS, model_id=None, **options)


def test_the_rows_are_those_that_an_upsert_of_the_same_input_leaves(tmp_path: Path) -> None:
    _online(_rows(), "online")
    assert _spread(tmp_path, _rows()).load() == {"inserted": 31}
    online, bulk = rows(COLUMNS_OF_ROWS, "online"), rows(COLUMNS_OF_ROWS, SPACE)
    # The namespace is part of what decides the shard.
    assert [row[:7] + row[8:-1] for row in bulk] == [row[:7] + row[8:-1] for row in online]
    for one, other in zip(bulk, online, strict=True):
        left, right = (from_bytes(bytes(row[-1]), 384)[0] for row in (one, other))
        assert float(left @ right) >= 0.9999
        assert np.linalg.norm(left) == pytest.approx(1, abs=1e-6)
    upsert_rows(_rows(), SPACE, model_id=None)
    assert rows("SELECT DISTINCT revision FROM document") == [(1,)]
    assert rows("SELECT count(*) FROM embedding_record WHERE state <> 'ready'") == [(0,)]


def test_texts_that_cannot_be_embedded_are_rejected_with_file_row_and_code(tmp_path: Path) -> None:
    bad = [{"id": "bad/1", "text": UNREADABLE}, {"id": "bad/2"}, {"id": "bad/3", "text": " "}]
    loaded = _spread(tmp_path, [*_rows(), *bad])
    assert loaded.load() == {"inserted": 31}
    counts = bulk_jobs.count_rows(loaded.job.pk)
    assert (counts.read, counts.rejected, counts.add_up) == (34, 3, True)
    found = [json.loads(line) for line in read_rejects(tmp_path)]
    source = str(tmp_path / "rows.jsonl")
    assert [(item["file"], item["row"], item["doc_id"], item["field"], item["code"]) for item in found] == [
        (source, 33, "bad/2", "text", "missing_field"),
        (source, 34, "bad/3", "text", "empty_input"),
        (source, 32, "bad/1", "text", "empty_input"),
    ]


def test_only_texts_that_are_new_are_embedded(tmp_path: Path) -> None:
    known = _rows()
    _online(known[:20], SPACE)
    entries = rows("SELECT count(*) FROM shard_change")[0][0]
    changed = [known[0] | {"text": "another"}, known[1] | {"metadata": {"n": -1}}, *known[2:20]]
    before = dict(rows("SELECT document_id, xmin::text FROM embedding_vector"))
    loaded = _spread(tmp_path, changed)
    assert loaded.load() == {"updated": 2, "unchanged": 18}
    after = dict(rows("SELECT document_id, xmin::text FROM embedding_vector"))
    ((key,),) = rows("SELECT id FROM document WHERE doc_id = 'doc/000'")
    assert {document for document in after if after[document] != before[document]} == {key}
    assert rows("SELECT count(*) FROM shard_change") == [(entries + 2,)]
    assert rows("SELECT count(*) FROM embedding_record WHERE state <> 'ready'") == [(0,)]


def test_what_clients_wrote_meanwhile_is_newer(tmp_path: Path) -> None:
    _online([{"id": "doc/001", "text": "old"}], SPACE)
    loaded = _spread(tmp_path, _rows())
    time.sleep(0.01)
    upsert_rows([{"id": "doc/000", "text": "online"}], SPACE, model_id=None)
    delete(SPACE, "doc/001")
    assert loaded.load() == {"inserted": 29, "superseded": 2}


def test_a_text_is_not_kept_where_the_namespace_keeps_none(tmp_path: Path) -> None:
    model = registry.active_spec(None).model_id
    rows("INSERT INTO namespace (name, model_id, store_text, fields, created_at) VALUES (%s, %s, false, '{}', now()) "
         "RETURNING 1", SPACE, model)  # fmt: skip
    loaded = _spread(tmp_path, _rows())
    loaded.load()
    assert rows("SELECT DISTINCT text FROM document") == [("",)]
    assert loaded.load() == {"inserted": 31}


def test_a_bucket_that_nobody_wants_any_more_is_left(tmp_path: Path) -> None:
    loaded = _spread(tmp_path, _rows())
    want(loaded.job, BulkWish.PAUSE, "tests")
    assert not load_bucket(next(loaded.tasks()))
    assert BulkBucket.objects.count() == 0


def test_a_job_embeds_and_is_paused_in_the_middle_of_a_bucket(tmp_path: Path, start: Start) -> None:
    """The bucket would take minutes."""
    many = [{"id": f"{number:06d}", "text": f"{number} " + "some words of a text " * 40} for number in range(8_000)]
    options = ("--namespace", SPACE, "--bucket-rows", 100_000)
    process = start("run", _lines(tmp_path, many), *options)
    job = until(BulkJob.objects.first)
    until(lambda: BulkJob.objects.filter(state=BulkState.LOADING).exists())
    want(job, BulkWish.PAUSE, "tests")
    code, _, err = ended(process)
    assert (code, "Traceback" in err) == (4, False), err
    assert BulkBucket.objects.count() == 0
    assert ended(start("abort", job.pk))[0] == 0


def test_a_plan_tells_the_measured_rate_and_a_job_runs(tmp_path: Path, start: Start) -> None:
    source = _lines(tmp_path, [*_rows(), {"id": "bad", "text": UNREADABLE}])
    code, out, err = ended(start("plan", source, "--namespace", SPACE))
    assert (code, "texts a second" in out) == (0, True), err
    code, _, err = ended(start("run", source, "--namespace", SPACE))
    assert code == 3, err
    job = BulkJob.objects.get()
    assert (job.counts["inserted"], job.counts["rejected"]) == (31, 1)
    code, out, _ = ended(start("rejects", job.pk))
    assert json.loads(out)["code"] == "empty_input"
    code, _, err = ended(start("run", source, "--namespace", SPACE, "--vector-column", "v"))
    assert (code, "takes no vectors" in err) == (1, True)
    code, _, err = ended(start("run", source, "--namespace", "strict", "--max-rejects", "0"))
    assert (code, "more than 0 rows are rejected" in err) == (1, True)
