"""What the API counts about itself, and the text that Prometheus reads.

With METRICS_DIR set, every process of the instance writes into that directory and any of them answers for all.
"""

from functools import cache

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    REGISTRY,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
)

from embedding_project.config import load_config
from embedding_project.observing.metric_files import MetricFiles
from embeddings_app.api.state_metrics import STATE_REGISTRY

CONTENT_TYPE = CONTENT_TYPE_LATEST
_SECONDS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)

REQUESTS = Counter("api_requests", "Requests answered, by route and HTTP status.", ["route", "status"])
ERRORS = Counter("api_errors", "Errors answered, by their code.", ["code"])
LATENCY = Histogram("api_request_seconds", "Time from request to answer, by route.", ["route"], buckets=_SECONDS)
IN_PROGRESS = Gauge("api_requests_in_progress", "Requests being worked on.", multiprocess_mode="livesum")


@cache
def _counter(route: str, status: int) -> Counter:
    # Routes and statuses are few; finding the child by its labels costs more than counting.
    return REQUESTS.labels(route, str(status))


@cache
def _histogram(route: str) -> Histogram:
    return LATENCY.labels(route)


def count_request(route: str, status: int, seconds: float) -> None:
    _counter(route, status).inc()
    _histogram(route).observe(seconds)


def exposition() -> bytes:
    """All metrics in the text format of Prometheus."""
    return generate_latest(_counted()) + generate_latest(STATE_REGISTRY)


def _counted() -> CollectorRegistry:
    directory = load_config().metrics_dir
    if not directory:
        return REGISTRY
    registry = CollectorRegistry()
    registry.register(MetricFiles(directory))
    return registry
