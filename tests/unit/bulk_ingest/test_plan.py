"""Plans: as many buckets as rows and their bytes ask for, cut where ids are even."""

import json
from collections import Counter
from pathlib import Path

import pytest

from bulk_ingest.plan import (
    BUCKET_BYTES,
    BUCKET_TEXTS,
    MODEL_SECONDS,
    SAMPLED_TEXTS,
    START_SECONDS,
    expect,
    make_plan,
    sample_texts,
)
from bulk_ingest.sources.raw import Columns, SourceError

COLUMNS, TEXTS = Columns(), Columns(vector=None)


def lines(path: Path, ids: list[str], text: str = "") -> None:
    path.write_text("".join(f"{json.dumps({'id': doc_id, 'text': text})}\n" for doc_id in ids))


def test_buckets_have_about_as_many_rows_each(tmp_path: Path) -> None:
    ids = [f"{number:05d}" for number in range(5_000)]
    for number in range(5):
        lines(tmp_path / f"{number}.jsonl", ids[number::5])
    plan = make_plan([str(tmp_path)], "auto", COLUMNS, 500)
    assert (plan.rows, plan.buckets, len(plan.files)) == (5_000, 10, 5)
    sizes = Counter(sum(doc_id >= splitter for splitter in plan.splitters) for doc_id in ids)
    assert max(sizes.values()) < 1_000


def test_rows_with_long_texts_make_smaller_buckets(tmp_path: Path) -> None:
    lines(tmp_path / "a.jsonl", [f"{number:05d}" for number in range(5_000)], "x" * 30_000)
    plan = make_plan([str(tmp_path)], "auto", COLUMNS)
    assert plan.buckets == -(-5_000 * 30_040 // BUCKET_BYTES)
    assert make_plan([str(tmp_path)], "auto", COLUMNS, 5_000).buckets == 1


def test_files_without_rows_make_no_plan(tmp_path: Path) -> None:
    lines(tmp_path / "a.jsonl", [])
    with pytest.raises(SourceError, match="no rows"):
        make_plan([str(tmp_path)], "auto", COLUMNS)


def test_a_file_that_may_not_be_read_is_not_opened(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl.gz").write_bytes(b"damaged")
    with pytest.raises(SourceError, match="damaged"):
        make_plan([str(tmp_path)], "auto", COLUMNS)
    with pytest.raises(SourceError, match="1 of the files lead out"):
        make_plan([str(tmp_path)], "auto", COLUMNS, may_read=lambda _: False)


def test_what_a_job_takes_grows_with_its_rows_and_their_vectors() -> None:
    small, large = expect(1_000, 384, 1), expect(1_000_000, 1_536, 2)
    assert small.disk_bytes > 1_000 * 4 * 384
    assert large.work_bytes > 1_000_000 * 4 * 1_536
    assert large.seconds - START_SECONDS == pytest.approx(500 * (small.seconds - START_SECONDS))


def test_texts_to_embed_make_buckets_of_half_a_minute(tmp_path: Path) -> None:
    lines(tmp_path / "a.jsonl", [f"{number:05d}" for number in range(9_000)], "a text")
    assert make_plan([str(tmp_path)], "auto", TEXTS).buckets == -(-9_000 // BUCKET_TEXTS)


def test_sampled_texts_are_good_ones_of_several_files(tmp_path: Path) -> None:
    for name, text in (("a", "first"), ("b", " "), ("c", "last")):
        lines(tmp_path / f"{name}.jsonl", [f"{name}{number}" for number in range(100)], text)
    found = sample_texts(make_plan([str(tmp_path)], "auto", TEXTS), TEXTS)
    assert set(found) == {"first", "last"}
    assert len(found) <= SAMPLED_TEXTS


def test_to_embed_takes_time_and_no_room_for_vectors_in_the_files_of_the_job() -> None:
    given, embedded = expect(1_000, 384, 2), expect(1_000, 384, 2, texts_per_second=100.0)
    assert embedded.seconds == pytest.approx(given.seconds + MODEL_SECONDS + 10)
    assert embedded.disk_bytes == given.disk_bytes
    assert embedded.work_bytes == given.work_bytes - 1_000 * 4 * 384
