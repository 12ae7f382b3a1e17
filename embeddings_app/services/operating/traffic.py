"""Rates and latencies out of counters: what happened between two moments is the difference of two samples."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from prometheus_client import Metric

_REQUESTS = "api_requests_total"
_LATENCY = "api_request_seconds_bucket"
_TEXTS = "embedder_items_total"
_CACHE_LOOKUPS = "embed_cache_lookups_total"
_SEARCHES = "api_searches_total"

Version = tuple[str, str]
"""Model id, and the version as the counters write it."""


@dataclass(frozen=True, slots=True)
class Sample:
    """The counters at one moment."""

    at: float
    """By the monotonic clock, in seconds."""
    requests: Mapping[tuple[str, str], float]
    """(route, HTTP status) -> requests answered."""
    latency: Mapping[str, Mapping[float, float]]
    """Route -> upper bound in seconds -> requests that took no longer."""
    texts: float
    """Texts that the embedders computed."""
    cache: Mapping[str, float]
    """hit, miss -> look-ups in the cache of vectors."""
    version_texts: Mapping[Version, float] = field(default_factory=dict)
    """Texts asked for."""
    version_searches: Mapping[Version, float] = field(default_factory=dict)
    """Searches answered."""


@dataclass(frozen=True, slots=True)
class RouteTraffic:
    """One route between two samples. Rates are per second, times in seconds; None where nothing was counted."""

    route: str
    per_second: float
    p50: float | None
    p95: float | None
    p99: float | None
    refused_share: float
    """Answers that blame the request: 4xx but 429."""
    failed_share: float
    """Answers that blame the service: 5xx and 429."""


@dataclass(frozen=True, slots=True)
class Span:
    """What was counted between two samples."""

    first: Sample
    last: Sample

    @property
    def seconds(self) -> float:
        return self.last.at - self.first.at

    def requests(self, route: str = "") -> dict[str, float]:
        """Status -> requests, of one route or of all below /v1/."""
        counted: dict[str, float] = defaultdict(float)
        for (name, status), total in self.last.requests.items():
            if name == route or (not route and name.startswith("/v1/")):
                counted[status] += _rise(self.first.requests.get((name, status), 0.0), total)
        return counted

    def per_second(self, route: str = "") -> float:
        return sum(self.requests(route).values()) / self.seconds

    def texts_per_second(self) -> float:
        return _rise(self.first.texts, self.last.texts) / self.seconds

    def version_texts_per_second(self, version: Version) -> float:
        """Texts that somebody asked for, queries and documents."""
        before, after = (sample.version_texts.get(version, 0.0) for sample in (self.first, self.last))
        return _rise(before, after) / self.seconds

    def version_searches_per_second(self, version: Version) -> float:
        before, after = (sample.version_searches.get(version, 0.0) for sample in (self.first, self.last))
        return _rise(before, after) / self.seconds

    def failed_share(self, route: str = "") -> float:
        return _share(self.requests(route), _is_failure)

    def cache_hit_share(self) -> float | None:
        """Of the look-ups in the cache; None without any."""
        counted = {name: _rise(self.first.cache.get(name, 0.0), total) for name, total in self.last.cache.items()}
        return counted.get("hit", 0.0) / sum(counted.values()) if sum(counted.values()) else None

    def quantile(self, route: str, share: float) -> float | None:
        before = self.first.latency.get(route, {})
        buckets = {le: _rise(before.get(le, 0.0), n) for le, n in self.last.latency.get(route, {}).items()}
        return quantile(buckets, share)

    def routes(self) -> list[RouteTraffic]:
        """Every route that was asked, the busiest first."""
        names = {name for name, _ in self.last.requests}
        traffic = [self._route(name) for name in names if sum(self.requests(name).values())]
        return sorted(traffic, key=lambda item: (-item.per_second, item.route))

    def _route(self, route: str) -> RouteTraffic:
        return RouteTraffic(
            route=route,
            per_second=self.per_second(route),
            p50=self.quantile(route, 0.5),
            p95=self.quantile(route, 0.95),
            p99=self.quantile(route, 0.99),
            refused_share=_share(self.requests(route), _is_refusal),
            failed_share=self.failed_share(route),
        )


def read_sample(at: float, metrics: Iterable[Metric]) -> Sample:
    requests: dict[tuple[str, str], float] = {}
    latency: dict[str, dict[float, float]] = defaultdict(dict)
    texts = 0.0
    lookups: dict[str, float] = defaultdict(float)
    version_texts: dict[Version, float] = defaultdict(float)
    version_searches: dict[Version, float] = defaultdict(float)
    for sample in (sample for metric in metrics for sample in metric.samples):
        labels = sample.labels
        if sample.name == _REQUESTS:
            requests[labels["route"], labels["status"]] = sample.value
        elif sample.name == _LATENCY:
            latency[labels["route"]][float(labels["le"])] = sample.value
        elif sample.name == _TEXTS and labels["outcome"] == "embedded":
            texts += sample.value
        elif sample.name == _CACHE_LOOKUPS:
            lookups[labels["outcome"]] += sample.value
            version_texts[labels["model"], labels["version"]] += sample.value
        elif sample.name == _SEARCHES:
            version_searches[labels["model"], labels["version"]] += sample.value
    return Sample(at, requests, latency, texts, lookups, version_texts, version_searches)


def quantile(buckets: Mapping[float, float], share: float) -> float | None:
    """The value that `share` of the observations do not exceed, linear inside its bucket; None without observations.

    `buckets`: upper bound -> observations up to it. Beyond the last finite bound that bound is the answer.
    """
    bounds: Sequence[float] = sorted(buckets)
    total = buckets[bounds[-1]] if bounds else 0.0
    if not total:
        return None
    wanted, lower, below = share * total, 0.0, 0.0
    for bound in bounds:
        if buckets[bound] >= wanted:
            if bound == float("inf"):
                return lower
            inside = buckets[bound] - below
            return lower + (bound - lower) * ((wanted - below) / inside if inside else 1.0)
        lower, below = bound, buckets[bound]
    return lower


def _rise(before: float, after: float) -> float:
    """How much a counter rose; one that fell was begun anew."""
    return after - before if after >= before else after


def _is_failure(status: str) -> bool:
    return status.startswith("5") or status == "429"


def _is_refusal(status: str) -> bool:
    return status.startswith("4") and status != "429"


def _share(counted: Mapping[str, float], chosen: Callable[[str], bool]) -> float:
    total = sum(counted.values())
    return sum(count for status, count in counted.items() if chosen(status)) / total if total else 0.0
