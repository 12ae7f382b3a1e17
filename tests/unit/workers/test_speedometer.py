"""Measured speed: tokens per second while there is work."""

from dataclasses import replace

import pytest

from tests.unit.workers.builders import HASHING
from workers.speedometer import TELLING_TOKENS, Speedometer

OTHER = replace(HASHING, version=2)


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def _computed(speed: Speedometer, clock: Clock, tokens: int, seconds: float, spec: object = HASHING) -> None:
    with speed.step(spec, tokens):  # type: ignore[arg-type]
        clock.now += seconds


def test_the_speed_is_told_for_each_model_version() -> None:
    clock = Clock()
    speed = Speedometer(clock)
    _computed(speed, clock, 1000, 0.5)
    _computed(speed, clock, 1000, 2.0, OTHER)
    assert speed.speeds() == {"hashes@1": pytest.approx(2000), "hashes@2": pytest.approx(500)}


def test_idle_time_does_not_count_but_the_work_between_two_steps_does() -> None:
    clock = Clock()
    speed = Speedometer(clock)
    _computed(speed, clock, 1000, 1.0)
    clock.now += 3600.0
    _computed(speed, clock, 1000, 1.0)
    assert speed.speeds()["hashes@1"] == pytest.approx(1000)
    clock.now += 0.01
    _computed(speed, clock, 1000, 0.99)
    assert speed.speeds()["hashes@1"] == pytest.approx(1000)


def test_small_steps_that_are_slow_tell_nothing_and_large_ones_weigh_more() -> None:
    clock = Clock()
    speed = Speedometer(clock)
    _computed(speed, clock, TELLING_TOKENS - 1, 1.0)
    assert speed.speeds() == {}
    _computed(speed, clock, 1000, 1.0)
    _computed(speed, clock, TELLING_TOKENS, 10.0)
    after_small = speed.speeds()["hashes@1"]
    _computed(speed, clock, 1000, 10.0)
    assert 1000 > after_small > 950
    assert speed.speeds()["hashes@1"] < 850


def test_a_step_that_fails_is_no_measure() -> None:
    clock = Clock()
    speed = Speedometer(clock)
    with pytest.raises(ValueError, match="boom"), speed.step(HASHING, 1000):
        raise ValueError("boom")
    assert speed.speeds() == {}


def test_a_speed_that_was_measured_too_low_is_corrected_by_steps_of_any_size() -> None:
    clock = Clock()
    speed = Speedometer(clock)
    _computed(speed, clock, TELLING_TOKENS, 10.0)
    for _ in range(20):
        clock.now += 1.0
        _computed(speed, clock, TELLING_TOKENS // 2, 0.01)
    assert speed.speeds()["hashes@1"] > 3000
