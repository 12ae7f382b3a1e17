"""Rows are checked as the API checks a request."""

import base64
import struct
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from typing import Any

import numpy as np
import pytest

from bulk_ingest.rows import Reject, Row, RowChecker
from bulk_ingest.sources.raw import RawBatch
from embedding_project.contracts.keys import content_hash
from embedding_project.contracts.vectors import checked_vector, to_bytes

VECTOR = [1.0, 2.0, 2.0]


def all_fit(wanted: Sequence[AbstractSet[str]]) -> list[bool]:
    return [True] * len(wanted)


def batch(*rows: dict[str, Any], vectors: Any = None) -> RawBatch:
    return RawBatch(
        first_row=11,
        doc_ids=[row.get("id", "a") for row in rows],
        texts=[row.get("text") for row in rows],
        vectors=[row.get("vector", VECTOR) for row in rows] if vectors is None else vectors,
        metadata=[row.get("metadata") for row in rows],
        faults={place: row["fault"] for place, row in enumerate(rows) if "fault" in row},
    )


def check(*rows: dict[str, Any], vectors: Any = None) -> tuple[list[Row], list[Reject]]:
    return RowChecker("space", 3, all_fit).check(batch(*rows, vectors=vectors))


@pytest.mark.parametrize(
    ("row", "field", "code"),
    [
        ({"id": None}, "id", "missing_field"),
        ({"id": 5}, "id", "invalid_type"),
        ({"id": ""}, "id", "invalid_value"),
        ({"id": "x" * 513}, "id", "invalid_value"),
        ({"id": "a/../b"}, "id", "invalid_value"),
        ({"id": "\x00"}, "id", "invalid_value"),
        ({"text": ""}, "text", "empty_input"),
        ({"text": "a\x00b"}, "text", "invalid_text"),
        ({"text": "x" * 40_000}, "text", "text_too_long"),
        ({"text": 5}, "text", "invalid_type"),
        ({"metadata": "no JSON"}, "metadata", "invalid_json"),
        ({"metadata": "[1]"}, "metadata", "invalid_type"),
        ({"metadata": {"a": float("nan")}}, "metadata.a", "invalid_number"),
        ({"metadata": {"a": {"b": {"c": {"d": {"e": {}}}}}}}, "metadata.a.b.c.d.e", "invalid_value"),
        ({"vector": None}, "vector", "vector_required"),
        ({"vector": [1.0, 2.0]}, "vector", "dimension_mismatch"),
        ({"vector": "a text"}, "vector", "invalid_value"),
        ({"vector": "AACAPw=="}, "vector", "dimension_mismatch"),
        ({"vector": [0.0, 0.0, 0.0]}, "vector", "zero_vector"),
        ({"vector": [1.0, 2.0, "3"]}, "vector", "invalid_type"),
        ({"vector": [1.0, 2.0, True]}, "vector", "invalid_type"),
        ({"vector": [1.0, 2.0, float("inf")]}, "vector", "invalid_number"),
        ({"fault": "invalid_json"}, "", "invalid_json"),
    ],
)
def test_a_bad_row_is_rejected_alone_with_its_place_and_code(row: dict[str, Any], field: str, code: str) -> None:
    rows, rejects = check({"id": "before"}, row, {"id": "after"})
    assert [good.doc_id for good in rows] == ["before", "after"]
    (reject,) = rejects
    assert (reject.row, reject.field, reject.code) == (12, field, code)
    assert reject.doc_id == (None if field in ("id", "") else "a")


@pytest.mark.parametrize(
    ("vector", "code"),
    [
        ([0.0, 0.0, 0.0], "zero_vector"),
        ([1.0, float("nan"), 0.0], "invalid_number"),
        ([1e39, 0.0, 0.0], "invalid_number"),
    ],
)
def test_a_bad_vector_of_a_matrix_is_rejected_alone(vector: list[float], code: str) -> None:
    rows, rejects = check({"id": "a"}, {"id": "b"}, {"id": "c"}, vectors=np.array([VECTOR, vector, VECTOR]))
    assert [row.doc_id for row in rows] == ["a", "c"]
    assert [(reject.doc_id, reject.code) for reject in rejects] == [("b", code)]


def test_a_matrix_of_another_width_is_rejected_row_by_row() -> None:
    _, rejects = check({}, {}, vectors=np.ones((2, 4), np.float32))
    assert [reject.code for reject in rejects] == ["dimension_mismatch"] * 2


@pytest.mark.parametrize("dimension", [1, 3, 8, 384, 1_000])
def test_a_matrix_gives_the_bytes_that_single_vectors_give(dimension: int) -> None:
    matrix = np.random.default_rng(dimension).standard_normal((50, dimension)).astype(np.float32)
    rows, _ = RowChecker("space", dimension, all_fit).check(batch(*[{}] * 50, vectors=matrix))
    for row, vector in zip(rows, matrix, strict=True):
        assert row.vector == to_bytes(checked_vector(vector.tolist(), dimension, "vector"))


def test_base64_gives_the_bytes_that_a_list_gives() -> None:
    rows, _ = check({"id": "a"}, {"id": "b", "vector": base64.b64encode(struct.pack("<3f", *VECTOR)).decode()})
    assert rows[0].vector == rows[1].vector
    assert rows[0].content_hash == rows[1].content_hash


def test_nulls_of_a_structure_are_no_fields() -> None:
    rows, _ = check(
        {"metadata": {"a": 1, "b": None, "c": {"d": None}}}, {"metadata": [("k", 1)]}, {"metadata": '{"n": null}'}
    )
    assert [row.metadata for row in rows] == [{"a": 1, "c": {}}, {"k": 1}, {"n": None}]


def test_a_row_whose_fields_have_no_room_is_rejected_and_known_fields_are_not_asked_for() -> None:
    asked: list[Sequence[AbstractSet[str]]] = []

    def claim(wanted: Sequence[AbstractSet[str]]) -> list[bool]:
        asked.append(wanted)
        return ["bad" not in fields for fields in wanted]

    checker = RowChecker("space", 3, claim)
    good, bad = {"id": "g", "metadata": {"n": 1}}, {"id": "b", "metadata": {"n": 1, "bad": 2}}
    rows, rejects = checker.check(batch(good, bad))
    assert [row.doc_id for row in rows] == ["g"]
    assert rejects == [Reject(12, "b", "metadata", "too_many_fields")]
    checker.check(batch(good, good))
    assert len(asked) == 1


def test_texts_that_are_embedded_have_the_hash_of_an_upsert_and_no_vector() -> None:
    rows, rejects = RowChecker("space", 0, all_fit).check(
        batch({"id": "a", "text": " a text "}, {"id": "b"}, {"id": "c", "text": " "}, vectors=[])
    )
    assert [(row.doc_id, row.text, row.vector, row.content_hash) for row in rows] == [
        ("a", "a text", b"", content_hash("a text"))
    ]
    assert [(reject.doc_id, reject.field, reject.code) for reject in rejects] == [
        ("b", "text", "missing_field"),
        ("c", "text", "empty_input"),
    ]
