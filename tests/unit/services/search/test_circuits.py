"""Circuits open by misses in a row, let probes through, close by any answer."""

import pytest

from embeddings_app.services.search.circuits import IDLE_SECONDS, PROBE_SECONDS, TOLERATED_MISSES, Circuits, ShardKey
from embeddings_app.services.search.metrics import OPEN_CIRCUITS

KEY, OTHER = ShardKey(1, 5, 0), ShardKey(1, 5, 1)
NOW = 1_000.0


@pytest.fixture
def circuits() -> Circuits:
    """One that KEY has opened."""
    made = Circuits()
    for _ in range(TOLERATED_MISSES):
        assert made.waits_for(KEY, NOW)
        made.missed(KEY, NOW)
    return made


def test_it_opens_after_three_misses_and_for_that_shard_alone(circuits: Circuits) -> None:
    assert not circuits.waits_for(KEY, NOW)
    assert circuits.waits_for(OTHER, NOW)
    assert circuits.waits_for(KEY._replace(version_key=6), NOW)


def test_an_answer_closes_it_and_misses_count_anew(circuits: Circuits) -> None:
    circuits.answered(KEY)
    for _ in range(TOLERATED_MISSES - 1):
        circuits.missed(KEY, NOW)
        assert circuits.waits_for(KEY, NOW)


def test_one_probe_is_let_through_at_a_time(circuits: Circuits) -> None:
    assert not circuits.take_probe(KEY, NOW + PROBE_SECONDS / 2)
    assert circuits.take_probe(KEY, NOW + PROBE_SECONDS)
    assert not circuits.take_probe(KEY, NOW + PROBE_SECONDS)
    assert circuits.take_probe(KEY, NOW + 2 * PROBE_SECONDS)


def test_one_that_nobody_tried_for_long_is_forgotten(circuits: Circuits) -> None:
    assert not circuits.waits_for(KEY, NOW + IDLE_SECONDS)
    assert circuits.waits_for(KEY, NOW + IDLE_SECONDS + 0.001)


def test_probes_keep_it_from_being_forgotten(circuits: Circuits) -> None:
    assert circuits.take_probe(KEY, NOW + IDLE_SECONDS)
    assert not circuits.waits_for(KEY, NOW + 2 * IDLE_SECONDS)


def test_the_gauge_counts_the_open_ones() -> None:
    def opened() -> float:
        return float(OPEN_CIRCUITS._value.get())

    before, circuits = opened(), Circuits()
    for key in (KEY, OTHER):
        for _ in range(TOLERATED_MISSES + 1):
            circuits.missed(key, NOW)
    assert opened() == before + 2
    circuits.answered(KEY)
    circuits.answered(KEY)
    assert opened() == before + 1
    circuits.waits_for(KEY, NOW + IDLE_SECONDS + 1)
    assert opened() == before
