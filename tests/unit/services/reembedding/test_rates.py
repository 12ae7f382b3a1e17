"""The bars of a run: every document of a stretch falls into one of the bars that the stretch lies in."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from embeddings_app.records.run_rates import Stretch
from embeddings_app.services.reembedding.rates import spread


def test_a_stretch_is_spread_evenly_over_its_time() -> None:
    assert spread([Stretch(0.0, 2.0, 40), Stretch(2.0, 2.5, 20)], 1.0, 4) == [20.0, 20.0, 20.0, 0.0]


def test_a_stretch_without_length_falls_into_one_bar() -> None:
    assert spread([Stretch(3.0, 3.0, 6)], 2.0, 2) == [0.0, 3.0]


def test_what_lies_beyond_the_last_bar_belongs_to_it() -> None:
    """The clocks of this process and of Postgres differ a little."""
    assert spread([Stretch(0.5, 9.0, 10)], 1.0, 1) == [10.0]
    assert spread([Stretch(7.0, 9.0, 10)], 1.0, 2) == [0.0, 10.0]


@given(
    st.lists(st.tuples(st.floats(0, 100), st.floats(0, 50), st.integers(0, 10_000)), max_size=20),
    st.floats(1.0, 10.0),
    st.integers(1, 60),
)
def test_no_document_is_lost(found: list[tuple[float, float, int]], bar_seconds: float, count: int) -> None:
    stretches = [Stretch(began, began + lasted, embedded) for began, lasted, embedded in found]
    total = sum(spread(stretches, bar_seconds, count)) * bar_seconds
    assert total == pytest.approx(sum(embedded for *_, embedded in found), abs=0.01 * count * bar_seconds)
