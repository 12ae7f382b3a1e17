"""Measured speed: tokens per second while there is work."""

from dataclasses import replace

import pytest

from embedding_project.contracts.model_spec import ModelSpec
from tests.unit.workers.models import HASHING
from workers.pace import CPU_LIMITS, TELLING_TOKENS, Pace

OTHER = replace(HASHING, version=2)


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def _computed(speed: Pace, clock: Clock, tokens: int, seconds: float, spec: ModelSpec = HASHING) -> None:
    with speed.step(spec, tokens):
        clock.now += seconds


def test_the_speed_is_told_for_each_model_version() -> None:
    clock = Clock()
    speed = Pace(CPU_LIMITS, clock=clock)
    _computed(speed, clock, 1000, 0.5)
    _computed(speed, clock, 1000, 2.0, OTHER)
    assert speed.speeds() == {"hashes@1": pytest.approx(2000), "hashes@2": pytest.approx(500)}


def test_idle_time_does_not_count_but_the_work_between_two_steps_does() -> None:
    clock = Clock()
    speed = Pace(CPU_LIMITS, clock=clock)
    _computed(speed, clock, 1000, 1.0)
    clock.now += 3600.0
    _computed(speed, clock, 1000, 1.0)
    assert speed.speeds()["hashes@1"] == pytest.approx(1000)
    clock.now += 0.01
    _computed(speed, clock, 1000, 0.99)
    assert speed.speeds()["hashes@1"] == pytest.approx(1000)


def test_the_first_step_tells_whatever_its_size() -> None:
    clock = Clock()
    speed = Pace(CPU_LIMITS, clock=clock)
    assert speed.speeds() == {}
    _computed(speed, clock, TELLING_TOKENS - 1, 1.0)
    assert speed.speeds()["hashes@1"] == pytest.approx(TELLING_TOKENS - 1)


def test_small_steps_that_are_slow_tell_nothing_and_large_ones_weigh_more() -> None:
    clock = Clock()
    speed = Pace(CPU_LIMITS, clock=clock)
    _computed(speed, clock, 1000, 1.0)
    clock.now += 1.0
    _computed(speed, clock, TELLING_TOKENS - 1, 10.0)
    assert speed.speeds()["hashes@1"] == pytest.approx(1000)
    _computed(speed, clock, TELLING_TOKENS, 10.0)
    after_small = speed.speeds()["hashes@1"]
    _computed(speed, clock, 1000, 10.0)
    assert 1000 > after_small > 950
    assert speed.speeds()["hashes@1"] < 850


def test_a_speed_measured_at_the_load_holds_until_the_steps_tell_another() -> None:
    clock = Clock()
    speed = Pace(CPU_LIMITS, clock=clock)
    speed.suppose(HASHING, 0.0)
    assert speed.speeds() == {}
    speed.suppose(HASHING, 300.0)
    speed.suppose(HASHING, 9_000.0)
    assert speed.speeds() == {"hashes@1": 300.0}
    assert speed.tokens_per_second(HASHING) == 300.0
    _computed(speed, clock, 1000, 1.0)
    assert speed.speeds()["hashes@1"] == pytest.approx(440.0)


def test_a_step_takes_the_same_time_whatever_the_speed() -> None:
    pace = Pace(CPU_LIMITS)
    assert pace.budget(HASHING).tokens == CPU_LIMITS.first_tokens
    for speed, tokens in ((20_000, 1_500), (100, CPU_LIMITS.least_tokens), (10**9, CPU_LIMITS.most_tokens)):
        spec = replace(HASHING, version=speed)
        pace.suppose(spec, speed)
        assert pace.budget(spec).tokens == tokens


def test_all_threads_together_are_as_many_times_faster_and_a_step_is_of_one() -> None:
    clock = Clock()
    speed = Pace(CPU_LIMITS, 4, clock)
    _computed(speed, clock, 10_000, 1.0)
    assert speed.speeds() == {"hashes@1": pytest.approx(40_000)}
    assert speed.tokens_per_second(HASHING) == pytest.approx(40_000)
    assert speed.budget(HASHING).tokens == 750


def test_a_step_with_all_cores_says_how_fast_one_is() -> None:
    clock = Clock()
    speed = Pace(CPU_LIMITS, 2, clock)
    with speed.step(HASHING, 1000, cores=2):
        clock.now += 1.0
    assert speed.speeds() == {"hashes@1": pytest.approx(1000)}


def test_only_so_many_models_are_remembered() -> None:
    pace = Pace(CPU_LIMITS)
    for version in range(100):
        pace.observe(replace(HASHING, version=version), 1000, 1.0)
    assert len(pace.speeds()) == 64
    assert "hashes@99" in pace.speeds()


def test_a_step_that_fails_is_no_measure() -> None:
    clock = Clock()
    speed = Pace(CPU_LIMITS, clock=clock)
    with pytest.raises(ValueError, match="boom"), speed.step(HASHING, 1000):
        raise ValueError("boom")
    assert speed.speeds() == {}


def test_a_speed_that_was_measured_too_low_is_corrected_by_steps_of_any_size() -> None:
    clock = Clock()
    speed = Pace(CPU_LIMITS, clock=clock)
    _computed(speed, clock, TELLING_TOKENS, 10.0)
    for _ in range(20):
        clock.now += 1.0
        _computed(speed, clock, TELLING_TOKENS // 2, 0.01)
    assert speed.speeds()["hashes@1"] > 3000
