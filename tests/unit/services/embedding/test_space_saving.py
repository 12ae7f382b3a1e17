"""The guarantees of space-saving counts, for any stream, also after merges."""

import random
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from embeddings_app.services.embedding.space_saving import SpaceSaving, Summary

STREAMS = st.lists(st.integers(0, 30), max_size=300)
CAPACITIES = st.integers(1, 12)


def count(stream: list[int], capacity: int) -> Summary[int]:
    counter = SpaceSaving[int](capacity)
    for item in stream:
        counter.add(item)
    return counter.summary()


def holds(summary: Summary[int], stream: list[int], capacity: int) -> None:
    """All that a summary promises of a stream."""
    true = Counter(stream)
    assert summary.total == len(stream)
    assert len(summary.counts) <= capacity
    assert summary.error <= len(stream) / capacity
    for item in {*true, *summary.counts}:
        at_least = summary.counts.get(item, 0.0)
        assert at_least <= true[item] <= at_least + summary.error


@given(STREAMS, CAPACITIES)
def test_counts_are_never_too_high_and_too_low_by_no_more_than_the_error(stream: list[int], capacity: int) -> None:
    holds(count(stream, capacity), stream, capacity)


@given(st.lists(STREAMS, max_size=6), CAPACITIES)
def test_merged_summaries_promise_the_same_of_all_streams_together(streams: list[list[int]], capacity: int) -> None:
    merged: Summary[int] = Summary()
    for stream in streams:
        merged = merged.merged(count(stream, capacity), capacity)
    holds(merged, [item for stream in streams for item in stream], capacity)


@given(STREAMS, CAPACITIES)
def test_whatever_came_more_often_than_the_error_allows_is_there(stream: list[int], capacity: int) -> None:
    summary = count(stream, capacity)
    frequent = {item for item, times in Counter(stream).items() if times > len(stream) / capacity}
    assert frequent <= set(summary.counts)


@given(STREAMS)
def test_a_stream_of_few_items_is_counted_exactly(stream: list[int]) -> None:
    assert count(stream, 32) == Summary(float(len(stream)), 0.0, {i: float(n) for i, n in Counter(stream).items()})


@given(STREAMS, CAPACITIES)
def test_a_halved_summary_promises_half_of_the_stream(stream: list[int], capacity: int) -> None:
    halved = count(stream, capacity).halved()
    for item, times in Counter(stream).items():
        at_least = halved.counts.get(item, 0.0)
        assert at_least <= times / 2 <= at_least + halved.error


def test_what_is_halved_again_and_again_is_forgotten() -> None:
    summary = count([1] * 100 + [2] * 3, 10)
    for _ in range(2):
        summary = summary.halved()
    assert set(summary.counts) == {1}
    for _ in range(6):
        summary = summary.halved()
    assert summary.counts == {}


def test_the_hot_items_of_a_long_tail_come_first() -> None:
    stream = [item for item in range(20) for _ in range(200 - 5 * item)] + list(range(1_000, 6_000))
    random.Random(1).shuffle(stream)
    assert set(count(stream, 200).top(20)) == set(range(20))
    assert count(stream, 200).top(1) == [0]


@pytest.mark.parametrize("limit", [0, 1, 5])
def test_no_more_are_given_than_asked_for(limit: int) -> None:
    assert len(count(list(range(3)), 5).top(limit)) == min(limit, 3)
