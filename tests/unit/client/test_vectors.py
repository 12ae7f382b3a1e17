"""Vectors of callers as the Python client sends them."""

import base64
import struct
from array import array
from decimal import Decimal
from fractions import Fraction
from typing import Any

import httpx
import numpy
import pandas
import pytest
from embsearch import Document
from embsearch.search_request import search_request
from embsearch.testing import FakeServer
from embsearch.vectors import base64_of

NUMBERS = [1.0, -0.1, 3e-5]
EXPECTED = base64.b64encode(struct.pack("<3f", *NUMBERS)).decode()


class Tensor:
    """An array of another library, of which only the usual method is known."""

    def tolist(self) -> list[float]:
        return NUMBERS


@pytest.mark.parametrize(
    "vector",
    [
        NUMBERS,
        tuple(NUMBERS),
        iter(NUMBERS),
        array("d", NUMBERS),
        numpy.array(NUMBERS),
        numpy.array(NUMBERS, ">f4"),
        numpy.array([NUMBERS, NUMBERS]).T[:, 1],
        numpy.array(NUMBERS, object),
        list(numpy.array(NUMBERS, numpy.float32)),
        pandas.Series(NUMBERS),
        [Decimal("1"), Fraction(-1, 10), "3e-5"],
        Tensor(),
    ],
    ids=lambda vector: type(vector).__name__,
)
def test_every_kind_of_vector_travels_as_base64_of_float32(vector: Any) -> None:
    assert base64_of(vector) == EXPECTED


def test_integers_and_booleans_are_numbers() -> None:
    expected = base64.b64encode(struct.pack("<2f", 1, 0)).decode()
    for vector in ([1, 0], [True, False], numpy.array([1, 0]), numpy.array([True, False]), b"\x01\x00"):
        assert base64_of(vector) == expected


@pytest.mark.parametrize("vector", [[1e39, -1e39], numpy.array([1e39, -1e39])], ids=["list", "array"])
def test_numbers_beyond_float32_are_infinite(vector: Any) -> None:
    assert struct.unpack("<2f", base64.b64decode(base64_of(vector))) == (float("inf"), float("-inf"))


@pytest.mark.parametrize(
    ("vector", "error"),
    [
        (5, TypeError),
        (None, TypeError),
        ([None, 1.0], TypeError),
        ([[1.0]], TypeError),
        (["one"], ValueError),
        ("one", ValueError),
        ([10**400], ValueError),
        (numpy.array(1.0), TypeError),
        (numpy.ones((2, 2)), TypeError),
        (numpy.array([1j]), TypeError),
        (numpy.array([None, 1.0]), TypeError),
        (numpy.ma.array([1.0, 2.0], mask=[False, True]), TypeError),
        (numpy.array(["one"]), ValueError),
    ],
)
def test_what_is_no_vector_is_refused_by_the_client(vector: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        base64_of(vector)


def test_documents_and_searches_have_base64() -> None:
    assert Document("a", vector=NUMBERS).to_json() == {"id": "a", "vector": EXPECTED}
    assert search_request(None, {"vector": numpy.array(NUMBERS)})["vector"] == EXPECTED


def test_a_row_that_has_no_vector_is_no_document_and_the_others_are_loaded() -> None:
    with FakeServer().client() as client:
        rows = [{"id": "a", "text": "x"}, {"id": "b", "vector": [10**400]}, {"id": "c", "vector": [[1]]}]
        report = client.namespace("notes").upload(rows)
    assert (report.written, [(failed.id, failed.code) for failed in report.failed]) == (
        1,
        [("b", "bad_row"), ("c", "bad_row")],
    )


SPACE = "notes"


@pytest.fixture
def server() -> FakeServer:
    server = FakeServer()
    with server.client() as client:
        rows = [{"id": str(number), "text": text} for number, text in enumerate(["red fox", "old owl"])]
        assert client.namespace(SPACE).upload(rows).written == 2
    return server


def test_the_double_takes_both_forms(server: FakeServer) -> None:
    with server.client() as client:
        vector = client.embed("red fox")
    found = [
        server.answer(httpx.Request("POST", "http://fake/v1/search", json={"namespace": SPACE, "vector": given})).json()
        for given in (vector.tolist(), base64_of(vector))
    ]
    assert found[0]["hits"] == found[1]["hits"]
    assert [hit["id"] for hit in found[0]["hits"]] == ["0", "1"]


@pytest.mark.parametrize(
    ("vector", "code"),
    [
        ([1.0], "dimension_mismatch"),
        ([0.0] * 64, "zero_vector"),
        ([0] * 64, "zero_vector"),
        ([True] * 64, "invalid_type"),
        (5, "invalid_type"),
        ("a text", "invalid_value"),
        ("AACAPw==", "dimension_mismatch"),
        ("AACAPw==" + "=", "invalid_value"),
        ("AACAP", "invalid_value"),
        (base64_of([float("nan")] * 64), "invalid_number"),
        (base64_of([1e39] * 64), "invalid_number"),
        (base64_of([0.0] * 64), "zero_vector"),
    ],
)
def test_the_double_refuses_what_the_service_refuses(server: FakeServer, vector: object, code: str) -> None:
    body = {"namespace": SPACE, "vector": vector}
    answer = server.answer(httpx.Request("POST", "http://fake/v1/search", json=body))
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, code)
    assert answer.json()["error"]["field"] == "vector"
