"""Vectors: what is taken, and the frame they travel in."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from embedding_project.contracts.errors import InvalidRequest
from embedding_project.contracts.vectors import EmbeddedText, checked_vector, unit_length


@pytest.mark.parametrize(
    ("value", "code"),
    [
        ("text", "invalid_type"),
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
