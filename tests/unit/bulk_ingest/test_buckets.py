"""Spread to buckets and read back: every row once, in the order of the ids, the last of equal ids."""

from collections import Counter
from pathlib import Path

import pytest

from bulk_ingest.buckets import Bucket, Spreader, SpreadFile, counted, read_bucket, splitters_of
from bulk_ingest.rows import Row


def row(number: int, doc_id: str, text: str = "") -> Row:
    return Row(number, doc_id, text, {"n": number}, frozenset({"n"}), bytes(8), bytes(32), number)


def ids(bucket: Bucket) -> list[str]:
    return [doc_id.decode() for doc_id in bucket.rows["doc_id"].to_pylist()]


def spread(folder: Path, file: int, rows: list[Row], splitters: list[str], most_rows: int = 4) -> list[SpreadFile]:
    return Spreader(folder, file, splitters, 2).spread([rows[:3], rows[3:]], most_rows)


def test_buckets_are_ranges_of_ids_in_order(tmp_path: Path) -> None:
    rows = [row(number, doc_id) for number, doc_id in enumerate(["z", "m", "a", "ü", "b", "mm", "", "Z", "n"])]
    files = spread(tmp_path, 0, rows, ["b", "n"])
    assert [file.name for file in files] == ["000000-000000.arrow", "000000-000001.arrow", "000000-000002.arrow"]
    assert [ids(read_bucket(tmp_path, number, files, 2)) for number in range(3)] == [
        ["", "Z", "a"],
        ["b", "m", "mm"],
        ["n", "z", "ü"],
    ]


def test_the_last_row_of_an_id_wins_over_all_files(tmp_path: Path) -> None:
    files = [
        *spread(tmp_path, 0, [row(1, "a", "first"), row(2, "b"), row(3, "a", "second")], []),
        *spread(tmp_path, 1, [row(1, "a", "third"), row(2, "c"), row(3, "b", "newer")], []),
    ]
    bucket = read_bucket(tmp_path, 0, files, 2)
    assert list(zip(ids(bucket), bucket.rows["text"].to_pylist(), strict=True)) == [
        ("a", b"third"),
        ("b", b"newer"),
        ("c", b""),
    ]
    assert bucket.duplicates == 3


def test_a_file_that_is_spread_again_gives_the_same(tmp_path: Path) -> None:
    rows = [row(number, f"{number % 7}") for number in range(20)]
    first = spread(tmp_path, 0, rows, ["3"])
    assert spread(tmp_path, 0, rows, ["3"]) == first
    assert not list(tmp_path.rglob("*.part"))
    assert SpreadFile.from_wire(first[0].to_wire()) == first[0]


def test_a_bucket_without_rows_is_empty(tmp_path: Path) -> None:
    files = spread(tmp_path, 0, [row(1, "a")], ["b"])
    bucket = read_bucket(tmp_path, 1, [file for file in files if 1 in file.rows], 2)
    assert (bucket.rows.num_rows, bucket.duplicates) == (0, 0)


@pytest.mark.parametrize("buckets", [1, 2, 7, 100])
def test_splitters_cut_a_sample_into_equal_parts(buckets: int) -> None:
    sample = [f"{number:04d}" for number in range(1_000)]
    splitters = splitters_of(sample, buckets)
    assert len(splitters) == buckets - 1
    parts = Counter(sum(doc_id >= splitter for splitter in splitters) for doc_id in sample)
    assert max(parts.values()) - min(parts.values()) <= 1


def test_equal_ids_in_a_sample_make_no_empty_bucket() -> None:
    assert splitters_of(["a", "a", "a", "b"], 3) == ["b"]
    assert splitters_of([], 5) == []


def test_a_file_ends_where_its_texts_are_many_bytes(tmp_path: Path) -> None:
    rows = [row(number, f"{number}", "x" * 100) for number in range(10)]
    files = Spreader(tmp_path, 0, [], 2).spread([rows], most_bytes=300)
    assert [sum(file.rows.values()) for file in files] == [3, 3, 3, 1]


def test_texts_that_are_to_be_embedded_have_no_column_of_vectors(tmp_path: Path) -> None:
    files = Spreader(tmp_path, 0, [], 0).spread([[row(1, "a", "text")]])
    bucket = read_bucket(tmp_path, 0, files, 0)
    assert bucket.rows["text"].to_pylist() == [b"text"]
    assert "vector" not in bucket.rows.column_names


def test_rows_that_are_only_counted_are_counted_as_those_that_are_written(tmp_path: Path) -> None:
    rows = [row(number, doc_id) for number, doc_id in enumerate(["z", "m", "a", "ü", "b", "mm", "", "Z", "n"])]
    (found,) = counted([rows[:4], rows[4:]], ["b", "n"])
    written = sum((Counter(file.rows) for file in spread(tmp_path, 0, rows, ["b", "n"])), Counter())
    assert found == SpreadFile("", dict(sorted(written.items())))
