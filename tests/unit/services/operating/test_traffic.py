"""Rates, shares and quantiles from samples of counters."""

import math
import struct
from collections.abc import Iterator

import pytest
from prometheus_client import CollectorRegistry, Counter, Histogram, Metric

from embeddings_app.services.operating.traffic import Sample, Span, quantile, read_sample
from embeddings_app.services.operating.traffic_history import (
    KEPT_SECONDS,
    SAMPLE_SECONDS,
    TrafficHistory,
    record_if_readable,
)


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Counted:
    """The counters of a service, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        names = ["route", "status"]
        self.requests = Counter("api_requests", "-", names, registry=self.registry)
        self.latency = Histogram(
            "api_request_seconds", "-", ["route"], buckets=(0.01, 0.1, 1.0), registry=self.registry
        )
        self.items = Counter("embedder_items", "-", ["lane", "outcome"], registry=self.registry)
        self.lookups = Counter("embed_cache_lookups", "-", ["model", "version", "outcome"], registry=self.registry)
        self.searches = Counter("api_searches", "-", ["model", "version"], registry=self.registry)

    def answer(self, route: str, status: int, seconds: float, times: int = 1) -> None:
        self.requests.labels(route, str(status)).inc(times)
        for _ in range(times):
            self.latency.labels(route).observe(seconds)

    def __call__(self) -> Iterator[Metric]:
        return iter(self.registry.collect())


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def counted() -> Counted:
    return Counted()


@pytest.fixture
def history(counted: Counted, clock: Clock) -> TrafficHistory:
    history = TrafficHistory(counted, clock)
    history.record()
    return history


def later(history: TrafficHistory, clock: Clock, seconds: float = SAMPLE_SECONDS) -> None:
    clock.now += seconds
    history.record()


def test_rates_are_what_was_counted_between_two_samples(
    history: TrafficHistory, counted: Counted, clock: Clock
) -> None:
    counted.answer("/v1/search", 200, 0.05, times=30)
    counted.answer("/v1/embed", 200, 0.05, times=10)
    counted.answer("/healthz", 200, 0.001, times=99)
    counted.items.labels("bulk", "embedded").inc(15)
    counted.items.labels("bulk", "model_error").inc(7)
    later(history, clock, 10.0)
    span = history.recent(60)
    assert span is not None
    assert span.per_second("/v1/search") == 3.0
    assert span.per_second() == 4.0
    assert span.texts_per_second() == 1.5
    assert [row.route for row in span.routes()] == ["/healthz", "/v1/search", "/v1/embed"]


def test_refusals_are_the_clients_and_failures_the_services(
    history: TrafficHistory, counted: Counted, clock: Clock
) -> None:
    for status, times in ((200, 5), (400, 2), (429, 1), (503, 2)):
        counted.answer("/v1/search", status, 0.05, times)
    later(history, clock)
    span = history.recent(60)
    assert span is not None
    assert span.failed_share() == pytest.approx(0.3)
    (row,) = span.routes()
    assert row.refused_share == pytest.approx(0.2)
    assert row.failed_share == pytest.approx(0.3)


def test_hits_of_the_cache_are_a_share_of_the_look_ups(history: TrafficHistory, counted: Counted, clock: Clock) -> None:
    later(history, clock)
    span = history.recent(60)
    assert span is not None
    assert span.cache_hit_share() is None
    counted.lookups.labels("a", "1", "hit").inc(3)
    counted.lookups.labels("b", "1", "miss").inc(1)
    later(history, clock)
    span = history.recent(60)
    assert span is not None
    assert span.cache_hit_share() == 0.75


def test_only_the_time_asked_for_counts(history: TrafficHistory, counted: Counted, clock: Clock) -> None:
    counted.answer("/v1/search", 200, 0.05, times=100)
    later(history, clock, 500.0)
    counted.answer("/v1/search", 200, 0.05, times=5)
    later(history, clock)
    span = history.recent(SAMPLE_SECONDS)
    assert span is not None
    assert span.per_second("/v1/search") == 1.0


def test_nothing_is_known_before_the_second_sample(history: TrafficHistory) -> None:
    assert history.recent(60) is None
    assert history.windows(3) == []


def test_texts_and_searches_are_counted_for_each_version(
    history: TrafficHistory, counted: Counted, clock: Clock
) -> None:
    history.record()
    counted.lookups.labels("a", "1", "hit").inc(10)
    counted.lookups.labels("a", "1", "miss").inc(5)
    counted.lookups.labels("a", "2", "hit").inc(50)
    counted.searches.labels("a", "2").inc(20)
    later(history, clock)
    span = history.recent(60)
    assert span is not None
    versions = [("a", "1"), ("a", "2"), ("b", "1")]
    texts = [span.version_texts_per_second(version) * SAMPLE_SECONDS for version in versions]
    searches = [span.version_searches_per_second(version) * SAMPLE_SECONDS for version in versions]
    assert (texts, searches) == ([15, 50, 0], [0, 20, 0])


def test_the_oldest_samples_are_forgotten(history: TrafficHistory, clock: Clock) -> None:
    for _ in range(500):
        later(history, clock)
    windows = history.windows(1)
    assert windows[-1].last.at - windows[0].first.at == KEPT_SECONDS


def test_a_counter_that_fell_was_begun_anew() -> None:
    first = Sample(0.0, {("/v1/search", "200"): 100.0}, {}, 50.0, {})
    last = Sample(1.0, {("/v1/search", "200"): 7.0}, {}, 3.0, {})
    assert Span(first, last).per_second("/v1/search") == 7.0
    assert Span(first, last).texts_per_second() == 3.0


@pytest.mark.parametrize(("wanted", "expected"), [(0.5, 0.01), (0.75, 0.055), (0.9, 0.1), (0.99, 0.1)])
def test_quantiles_are_linear_inside_their_bucket(wanted: float, expected: float) -> None:
    buckets = {0.01: 50.0, 0.1: 100.0 if wanted == 0.75 else 90.0, math.inf: 100.0}
    assert quantile(buckets, wanted) == pytest.approx(expected)


def test_quantiles_of_nothing_are_unknown() -> None:
    assert quantile({}, 0.5) is None
    assert quantile({0.1: 0.0, math.inf: 0.0}, 0.5) is None


def test_a_sample_holds_what_the_counters_say(counted: Counted) -> None:
    counted.answer("/v1/search", 200, 0.05)
    sample = read_sample(1.0, counted())
    assert sample.requests == {("/v1/search", "200"): 1.0}
    assert sample.latency["/v1/search"] == {0.01: 0.0, 0.1: 1.0, 1.0: 1.0, math.inf: 1.0}


@pytest.mark.parametrize("error", [struct.error("cut short"), FileNotFoundError(), ValueError("no such directory")])
def test_a_moment_whose_counters_cannot_be_read_is_left_out(counted: Counted, clock: Clock, error: Exception) -> None:
    readable = iter([True, False, True])

    def collect() -> Iterator[Metric]:
        if not next(readable):
            raise error
        return counted()

    history = TrafficHistory(collect, clock)
    for _ in range(3):
        clock.now += SAMPLE_SECONDS
        record_if_readable(history)
    (only,) = history.windows(1)
    assert only.seconds == 2 * SAMPLE_SECONDS
