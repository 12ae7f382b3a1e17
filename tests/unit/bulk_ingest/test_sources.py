"""Files of every kind and fault, as the raw values that their rows bring."""

import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bulk_ingest.sources.files import check_unchanged, list_files, parts_of, read, sample
from bulk_ingest.sources.raw import Columns, RawBatch, SourceError

COLUMNS = Columns()
VECTORS = [[1.0, 2.0], [3.0, 4.0]]


def parquet(path: Path, **columns: pa.Array) -> Path:
    pq.write_table(pa.table(columns), path)
    return path


def only_batch(path: Path, columns: Columns = COLUMNS) -> RawBatch:
    (file,) = list_files([str(path)], "auto")
    (batch,) = read(file, columns)
    return batch


def jsonl(path: Path, content: bytes) -> Path:
    if path.suffix == ".gz":
        content = gzip.compress(content)
    if path.suffix == ".zst":
        content = pa.compress(content, codec="zstd", asbytes=True)
    path.write_bytes(content)
    return path


def line(**row: Any) -> bytes:
    return json.dumps(row).encode()


@pytest.mark.parametrize(
    "kind",
    [
        pa.list_(pa.float32()),
        pa.list_(pa.float64()),
        pa.large_list(pa.float32()),
        pa.list_(pa.float32(), 2),
        pa.list_(pa.float16(), 2),
    ],
    ids=str,
)
def test_vectors_of_one_length_are_a_matrix(tmp_path: Path, kind: pa.DataType) -> None:
    values = [np.array(vector, kind.value_type.to_pandas_dtype()) for vector in VECTORS]
    path = parquet(tmp_path / "a.parquet", id=pa.array(["a", "b"]), vector=pa.array(values, kind))
    found = only_batch(path).vectors
    assert isinstance(found, np.ndarray)
    assert found.tolist() == VECTORS


@pytest.mark.parametrize(
    "values", [[[1.0, 2.0], None], [[1.0, 2.0], [3.0]], [[1.0, None], [3.0, 4.0]]], ids=["null", "ragged", "hole"]
)
def test_other_vectors_come_one_by_one(tmp_path: Path, values: list[Any]) -> None:
    path = parquet(tmp_path / "a.parquet", id=pa.array(["a", "b"]), vector=pa.array(values, pa.list_(pa.float32())))
    assert list(only_batch(path).vectors) == values


def test_a_slice_of_a_file_has_the_vectors_of_its_rows(tmp_path: Path) -> None:
    rows = 10_000
    vectors = pa.array([[float(row), 1.0] for row in range(rows)], pa.list_(pa.float32()))
    parquet(tmp_path / "a.parquet", id=pa.array([f"{row:05d}" for row in range(rows)]), vector=vectors)
    (file,) = list_files([str(tmp_path)], "auto")
    for batch in read(file, COLUMNS):
        assert isinstance(batch.vectors, np.ndarray)
        assert batch.vectors[:, 0].tolist() == [float(doc_id) for doc_id in batch.doc_ids]
        assert [batch.row_number(place) for place in (0, 1)] == [batch.vectors[0, 0] + 1, batch.vectors[1, 0] + 1]


@pytest.mark.parametrize(
    ("metadata", "expected"),
    [
        (pa.array([{"n": 1, "s": None}]), {"n": 1, "s": None}),
        (pa.array([[("n", 1)]], pa.map_(pa.string(), pa.int64())), [("n", 1)]),
        (pa.array(['{"n": 1}']), '{"n": 1}'),
    ],
    ids=["structure", "map", "JSON"],
)
def test_metadata_comes_as_it_is_stored(tmp_path: Path, metadata: pa.Array, expected: object) -> None:
    vector = pa.array([[1.0]], pa.list_(pa.float32()))
    path = parquet(tmp_path / "a.parquet", id=pa.array(["a"]), vector=vector, metadata=metadata)
    assert list(only_batch(path).metadata) == [expected]


def test_dictionaries_and_large_strings_are_strings(tmp_path: Path) -> None:
    path = parquet(
        tmp_path / "a.parquet",
        id=pa.array(["a", "b", "a"]).dictionary_encode(),
        text=pa.array(["x", None, "y"], pa.large_string()),
        vector=pa.array([[1.0]] * 3, pa.list_(pa.float32())),
    )
    batch = only_batch(path)
    assert (list(batch.doc_ids), list(batch.texts)) == (["a", "b", "a"], ["x", None, "y"])


def test_columns_may_have_other_names_and_further_ones_are_ignored(tmp_path: Path) -> None:
    path = parquet(tmp_path / "a.parquet", key=pa.array(["a"]), emb=pa.array([[1.0]]), more=pa.array([1]))
    batch = only_batch(path, Columns(doc_id="key", vector="emb"))
    assert (list(batch.doc_ids), list(batch.texts), list(batch.metadata)) == (["a"], [None], [None])


def test_a_file_without_a_needed_column_says_which_it_has(tmp_path: Path) -> None:
    parquet(tmp_path / "a.parquet", key=pa.array(["a"]))
    (file,) = list_files([str(tmp_path)], "auto")
    with pytest.raises(SourceError, match="no column id, vector; it has key"):
        sample(file, COLUMNS, 10)


def test_a_file_without_rows_has_none(tmp_path: Path) -> None:
    parquet(tmp_path / "a.parquet", id=pa.array([], pa.string()), vector=pa.array([], pa.list_(pa.float32())))
    (file,) = list_files([str(tmp_path)], "auto")
    assert (sample(file, COLUMNS, 10).rows, list(read(file, COLUMNS))) == (0, [])


@pytest.mark.parametrize("name", ["a.parquet", "a.jsonl.gz", "a.jsonl.zst"])
def test_a_damaged_file_is_named(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"PAR1 or not")
    (file,) = list_files([str(tmp_path)], "auto")
    with pytest.raises(SourceError, match=name):
        list(read(file, COLUMNS))


@pytest.mark.parametrize("name", ["a.jsonl", "a.jsonl.gz", "a.jsonl.zst"])
def test_lines_are_rows(tmp_path: Path, name: str) -> None:
    content = b"\xef\xbb\xbf" + line(id="a", vector=[1]) + b"\r\n\n  \n" + line(id="b", text="x", metadata={"n": 1})
    batch = only_batch(jsonl(tmp_path / name, content))
    assert list(batch.doc_ids) == ["a", "b"]
    assert (list(batch.texts), list(batch.metadata)) == ([None, "x"], [None, {"n": 1}])
    assert list(batch.vectors) == [[1], None]
    assert [batch.row_number(place) for place in (0, 1)] == [1, 4]
    assert batch.faults == {}


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b'{"id": "a"', "invalid_json"),
        (b'{"id": "a", "id": "b"}', "invalid_json"),
        (b'{"vector": [NaN]}', "invalid_json"),
        (b"[1]", "invalid_type"),
        (b'{"id": "\xff"}', "invalid_json"),
    ],
)
def test_a_line_that_is_no_row_is_a_fault_and_the_others_are_read(tmp_path: Path, content: bytes, code: str) -> None:
    batch = only_batch(jsonl(tmp_path / "a.jsonl", content + b"\n" + line(id="good")))
    assert batch.faults == {0: code}
    assert batch.doc_ids[1] == "good"


def test_a_line_longer_than_any_request_is_a_fault(tmp_path: Path) -> None:
    batch = only_batch(jsonl(tmp_path / "a.jsonl", b'"' + b"x" * (20 << 20) + b'"\n' + line(id="good")))
    assert (batch.faults, batch.doc_ids[1]) == ({0: "invalid_value"}, "good")


def test_what_other_programs_leave_beside_their_output_is_not_read(tmp_path: Path) -> None:
    for name in ("_SUCCESS", ".hidden.jsonl", "_metadata.parquet", "b/part-1.jsonl", "a.jsonl"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert [Path(file.path).name for file in list_files([str(tmp_path)], "auto")] == ["a.jsonl", "part-1.jsonl"]
    assert [Path(file.path).name for file in list_files([f"{tmp_path}/*/*.jsonl"], "auto")] == ["part-1.jsonl"]


def test_a_file_is_read_once_however_it_is_named(tmp_path: Path) -> None:
    path = jsonl(tmp_path / "a.jsonl", line(id="a"))
    assert len(list_files([str(path), str(tmp_path), f"{tmp_path}/*"], "auto")) == 1


def test_what_is_not_there_and_what_is_unknown_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="no such file"):
        list_files([str(tmp_path / "nothing*")], "auto")
    (tmp_path / "a.csv").touch()
    with pytest.raises(SourceError, match="give --format"):
        list_files([str(tmp_path)], "auto")


def test_a_file_that_changed_since_it_was_listed_is_refused(tmp_path: Path) -> None:
    path = jsonl(tmp_path / "a.jsonl", line(id="a"))
    (file,) = list_files([str(path)], "auto")
    check_unchanged(file)
    jsonl(path, line(id="another"))
    with pytest.raises(SourceError, match="changed since"):
        check_unchanged(file)


def test_a_sample_is_of_all_over_the_file(tmp_path: Path) -> None:
    ids = [f"{row:06d}" for row in range(20_000)]
    pq.write_table(
        pa.table({"id": ids, "vector": pa.array([[1.0]] * len(ids))}), tmp_path / "a.parquet", row_group_size=500
    )
    jsonl(tmp_path / "b.jsonl.gz", b"\n".join(line(id=doc_id) for doc_id in ids))
    for file in list_files([str(tmp_path)], "auto"):
        found = sample(file, COLUMNS, 100)
        assert found.rows == len(ids)
        assert 50 <= len(found.ids) <= 250
        middle = sorted(found.ids)[len(found.ids) // 2]
        assert 8_000 < int(middle) < 12_000


def test_the_parts_of_a_file_have_its_rows_once_and_their_numbers(tmp_path: Path) -> None:
    ids = [f"{row:04d}" for row in range(1_050)]
    table = pa.table({"id": ids, "vector": pa.array([[1.0]] * len(ids))})
    pq.write_table(table, tmp_path / "a.parquet", row_group_size=100)
    (file,) = list_files([str(tmp_path)], "auto")
    parts = parts_of(file, 250)
    assert [part.groups for part in parts] == [(0, 3), (3, 6), (6, 9), (9, 11)]
    batches = [batch for part in parts for batch in read(part, COLUMNS)]
    assert [doc_id for batch in batches for doc_id in batch.doc_ids] == ids
    numbers = [batch.row_number(place) for batch in batches for place in range(len(batch.doc_ids))]
    assert numbers == list(range(1, len(ids) + 1))


def test_a_file_without_rows_and_one_of_lines_are_one_part(tmp_path: Path) -> None:
    parquet(tmp_path / "a.parquet", id=pa.array([], pa.string()), vector=pa.array([], pa.list_(pa.float32())))
    jsonl(tmp_path / "b.jsonl", line(id="a"))
    assert [len(parts_of(file, 10)) for file in list_files([str(tmp_path)], "auto")] == [1, 1]


def test_without_a_column_of_vectors_texts_are_read_alone(tmp_path: Path) -> None:
    texts = Columns(vector=None)
    path = parquet(tmp_path / "a.parquet", id=pa.array(["a"]), text=pa.array(["t"]), vector=pa.array([[1.0]]))
    for batch in (
        only_batch(path, texts),
        only_batch(jsonl(tmp_path / "a.jsonl", line(id="a", text="t", vector=[1.0])), texts),
    ):
        assert (list(batch.texts), list(batch.vectors)) == (["t"], [])
    bare = parquet(tmp_path / "b.parquet", id=pa.array(["a"]), vector=pa.array([[1.0]]))
    with pytest.raises(SourceError, match="no column text"):
        only_batch(bare, texts)
