"""The model of searches over many shards, against what is known without it."""

import numpy as np
import pytest

from benchmarks.tail_model import Cluster, fit_sizes, response_times, search_times


def cluster(shards: int = 1, replicas: int = 1, rate: float = 100.0, hedge_after_ms: float | None = None) -> Cluster:
    return Cluster(shards=shards, replicas=replicas, rate=rate, hedge_after_ms=hedge_after_ms)


def test_a_queue_with_one_server_waits_as_theory_says() -> None:
    # M/D/1: the mean wait is load / (2 x (1 - load)) of the service time.
    times = response_times(np.array([5.0]), cluster(rate=120.0), np.random.default_rng(1), 200_000)
    assert float(times.mean()) == pytest.approx(5.0 * (1 + 0.6 / (2 * 0.4)), rel=0.03)


def test_with_hardly_any_load_nobody_waits() -> None:
    times = response_times(np.array([5.0]), cluster(replicas=3, rate=1.0), np.random.default_rng(1), 2_000)
    assert float(np.percentile(times, 99)) == pytest.approx(5.0)


def test_a_search_is_as_slow_as_the_slowest_of_its_shards() -> None:
    service = np.array([1.0] * 99 + [50.0])
    one, many = (
        search_times(service, np.zeros(1), cluster(shards, replicas=50, rate=1.0), seed=3) for shards in (1, 64)
    )
    assert float(np.mean(one > 10)) == pytest.approx(0.01, abs=0.003)
    assert float(np.mean(many > 10)) == pytest.approx(1 - 0.99**64, abs=0.02)


def test_a_hedge_cuts_the_slowest_off() -> None:
    service = np.array([1.0] * 99 + [200.0])
    plain, hedged = (
        search_times(service, np.zeros(1), cluster(16, replicas=50, rate=1.0, hedge_after_ms=after), seed=3)
        for after in (None, 40.0)
    )
    assert float(np.percentile(plain, 99)) >= 200
    assert float(np.percentile(hedged, 99)) == pytest.approx(41.0, abs=0.5)


def test_the_fit_finds_a_known_line_and_what_it_leaves_over() -> None:
    sizes = [1_000, 10_000, 100_000, 1_000_000]
    exact = fit_sizes(sizes, [0.2 + 0.05 * float(np.log2(size)) for size in sizes])
    assert exact.at(2**30) == pytest.approx(1.7)
    assert exact.error == pytest.approx(0, abs=1e-9)
    off = fit_sizes(sizes, [0.5, 0.9, 1.0, 1.4])
    assert off.error > 0.05
