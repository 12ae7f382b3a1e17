"""Sizes, times and counts as people read them."""

import pytest

from embeddings_app.admin.quantities import about, duration, size
from embeddings_app.records.operations import COUNT_CAP
from embeddings_app.records.version_counts import Count


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0 bytes"), (1023, "1,023 bytes"), (1536, "1.5 KiB"), (300 * 2**20, "300 MiB"), (2**51, "2,048 TiB")],
)
def test_a_size_has_the_largest_unit_that_fits(count: int, text: str) -> None:
    assert size(count) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.2, "0 s"),
        (59.4, "59 s"),
        (60, "1 min"),
        (725, "12 min 5 s"),
        (11_100, "3 h 5 min"),
        (187_200, "2 d 4 h"),
    ],
)
def test_a_duration_has_two_units_at_most(seconds: float, text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.9, "under 1 s"), (100, "about 1 min 40 s"), (500, "about 8 min"), (7_200, "about 2 h")]
)
def test_an_expected_time_is_no_more_exact_than_it_can_be(seconds: float, text: str) -> None:
    assert about(seconds) == text


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (Count(12, 500), "12"),
        (Count(COUNT_CAP + 1, 123_456), "about 123,456"),
        (Count(COUNT_CAP + 1, 7), f"about {COUNT_CAP + 1:,}"),
        (Count(COUNT_CAP + 1), f"more than {COUNT_CAP:,}"),
    ],
)
def test_a_count_says_whether_it_was_counted(count: Count, text: str) -> None:
    assert str(count) == text
