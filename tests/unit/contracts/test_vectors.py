"""Vectors: what is taken, and the frame they travel in."""

import base64
import math
import struct
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from embedding_project.contracts.errors import InvalidRequest
from embedding_project.contracts.vectors import EmbeddedText, checked_vector, checked_vectors, to_bytes, unit_length


def base64_of(numbers: Sequence[float]) -> str:
    return base64.b64encode(struct.pack(f"<{len(numbers)}f", *numbers)).decode()


@pytest.mark.parametrize(
    ("value", "code"),
    [
        (5, "invalid_type"),
        ({"a": 1.0}, "invalid_type"),
        ([1.0, 2.0], "dimension_mismatch"),
        ([], "dimension_mismatch"),
        ([1.0, True, 2.0], "invalid_type"),
        ([1.0, "3", 2.0], "invalid_type"),
        ([1.0, None, 2.0], "invalid_type"),
        ([1.0, [2.0], 2.0], "invalid_type"),
        ([1.0, float("nan"), 2.0], "invalid_number"),
        ([1.0, float("inf"), 2.0], "invalid_number"),
        ([1.0, 1e39, 2.0], "invalid_number"),
        ([1.0, 10**400, 2.0], "invalid_number"),
        ([0, 0.0, -0.0], "zero_vector"),
        ([1e-46, 0, 0], "zero_vector"),
    ],
)
def test_what_is_no_vector_is_refused(value: object, code: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        checked_vector(value, 3, "vector")
    assert (caught.value.code, caught.value.field) == (code, "vector")


GOOD = base64_of([1.0, 2.0, 2.0])


@pytest.mark.parametrize(
    ("value", "code"),
    [
        ("text", "dimension_mismatch"),
        ("", "dimension_mismatch"),
        ("[1.0, 2.0, 2.0]", "invalid_value"),
        ("é" * 16, "invalid_value"),
        ("\ud800" + GOOD[1:], "invalid_value"),
        (GOOD[:-1], "invalid_value"),
        (GOOD[:-1] + "=", "dimension_mismatch"),
        (GOOD + "=", "invalid_value"),
        (GOOD + "====", "invalid_value"),
        (GOOD + "\n", "invalid_value"),
        (" " + GOOD, "invalid_value"),
        ("-_" + GOOD[2:], "invalid_value"),
        (base64_of([1.0, 2.0]), "dimension_mismatch"),
        (base64_of([1.0, 2.0, 2.0, 2.0]), "dimension_mismatch"),
        (base64_of([1.0] * 1000), "dimension_mismatch"),
        (base64_of([1.0]) + GOOD, "invalid_value"),
        (base64.b64encode(struct.pack("<3d", 1.0, 2.0, 2.0)).decode(), "dimension_mismatch"),
        (base64_of([1.0, math.nan, 2.0]), "invalid_number"),
        (base64_of([1.0, -math.inf, 2.0]), "invalid_number"),
        (base64_of([0.0, -0.0, 0.0]), "zero_vector"),
    ],
)
def test_base64_of_no_vector_is_refused(value: str, code: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        checked_vector(value, 3, "vector")
    assert (caught.value.code, caught.value.field) == (code, "vector")


@pytest.mark.parametrize("dimension", [1, 2, 3, 4, 5, 6, 384])
def test_every_length_but_the_right_one_is_refused(dimension: int) -> None:
    data = np.ones(dimension + 4, "<f4").tobytes()
    for size in range(max(0, 4 * dimension - 9), 4 * dimension + 10):
        text = base64.b64encode(data[:size]).decode()
        for told in (text, text + "=", text + "==", text[:-1]):
            (found,) = checked_vectors([told], dimension, ["vector"])
            assert isinstance(found, InvalidRequest) == (told != text or size != 4 * dimension), (size, told)


@pytest.mark.parametrize(
    ("numbers", "said"), [(2, "has 2 numbers"), (4, "has 4 numbers"), (5, "has 5 numbers"), (1000, "has 1000 numbers")]
)
def test_the_refusal_says_how_many_numbers_were_found(numbers: int, said: str) -> None:
    for value in ([1.0] * numbers, base64_of([1.0] * numbers)):
        with pytest.raises(InvalidRequest, match=f"{said}.* the model has 3"):
            checked_vector(value, 3, "vector")


@given(st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=5, max_size=5))
def test_both_forms_give_the_same_bytes(numbers: list[float]) -> None:
    listed, decoded = checked_vectors([numbers, base64_of(numbers)], 5, ["a", "b"])
    if isinstance(listed, InvalidRequest) or isinstance(decoded, InvalidRequest):
        assert isinstance(listed, InvalidRequest)
        assert isinstance(decoded, InvalidRequest)
        assert (listed.code, decoded.code) == ("zero_vector", "zero_vector")
    else:
        assert to_bytes(listed) == to_bytes(decoded) == to_bytes(checked_vector(numbers, 5, "a"))


def test_each_of_many_has_its_own_outcome() -> None:
    values: list[object] = [[3.0, 4.0], "x", base64_of([4.0, 3.0]), [0, 0], None, base64_of([math.nan, 1.0]), [1]]
    found = checked_vectors(values, 2, [f"v[{place}]" for place in range(len(values))])
    told = [(one.code, one.field) if isinstance(one, InvalidRequest) else one.tolist() for one in found]
    assert told == [
        pytest.approx([0.6, 0.8]),
        ("invalid_value", "v[1]"),
        pytest.approx([0.8, 0.6]),
        ("zero_vector", "v[3]"),
        ("invalid_type", "v[4]"),
        ("invalid_number", "v[5]"),
        ("dimension_mismatch", "v[6]"),
    ]
    assert checked_vectors([], 2, []) == []


@pytest.mark.parametrize("scale", [1e-38, 1e-20, 1.0, 1e20, 1e38])
def test_a_vector_of_any_length_becomes_a_unit_vector(scale: float) -> None:
    vector = checked_vector([3 * scale / 5, 0, -scale], 3, "vector")
    assert vector.dtype == np.float32
    assert np.linalg.norm(vector) == pytest.approx(1, abs=1e-6)


def test_a_zero_vector_stays_zero() -> None:
    assert unit_length(np.zeros((2, 3), np.float32)).tolist() == [[0, 0, 0]] * 2


@pytest.mark.parametrize("scale", [1e-40, 1e-30, 1.0, 1e20, 5e37])
def test_vectors_of_any_length_keep_their_direction(scale: float) -> None:
    vectors = np.array([[3 * scale, 4 * scale], [0, 0]], np.float32)
    assert np.allclose(unit_length(vectors), np.array([[0.6, 0.8], [0, 0]]), atol=1e-4)


embedded = st.builds(
    EmbeddedText,
    st.lists(st.floats(width=32, allow_nan=False), min_size=4, max_size=4).map(lambda v: np.array(v, np.float32)),
    st.integers(0, 2**32 - 1),
    st.booleans(),
    st.booleans(),
)


@given(embedded)
def test_a_frame_gives_back_what_it_was_made_of(item: EmbeddedText) -> None:
    back = EmbeddedText.from_frame(item.to_frame(), 4)
    assert back is not None
    assert back.vector.tolist() == item.vector.tolist()
    assert (back.tokens, back.truncated, back.unknown) == (item.tokens, item.truncated, item.unknown)


@given(embedded, st.data())
def test_a_damaged_frame_is_a_miss(item: EmbeddedText, data: st.DataObject) -> None:
    frame = bytearray(item.to_frame())
    position = data.draw(st.integers(12, len(frame) - 1))
    frame[position] ^= 1 << data.draw(st.integers(0, 7))
    assert EmbeddedText.from_frame(bytes(frame), 4) is None
    assert EmbeddedText.from_frame(bytes(frame[:-1]), 4) is None
    assert EmbeddedText.from_frame(item.to_frame(), 5) is None
