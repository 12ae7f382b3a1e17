"""Every metric that the code has, and those that queries of Prometheus ask for."""

import re
from collections.abc import Iterable
from functools import cache
from typing import Any

from prometheus_client import Metric
from prometheus_client.metrics import MetricWrapperBase

import embedding_project.broker.transport
import embeddings_app.api.metrics
import embeddings_app.services.embedding.metrics
import embeddings_app.services.indexing.trimming
import embeddings_app.services.jobs.metrics
import embeddings_app.services.search.metrics
import index_nodes.metrics
import workers.metrics
from embeddings_app.api.state_metrics import GAUGES, StateGauge

METRIC_MODULES = (
    embedding_project.broker.transport,
    embeddings_app.api.metrics,
    embeddings_app.services.indexing.trimming,
    embeddings_app.services.jobs.metrics,
    embeddings_app.services.embedding.metrics,
    embeddings_app.services.search.metrics,
    index_nodes.metrics,
    workers.metrics,
)
_ASKED = re.compile(
    r"\b(?:api|node|embedder|embed|documents|records|replicas?|queue|log|search|worker|job|state|build|bulk)_[a-z_]+"
)


@cache
def known_metrics() -> dict[str, Metric | StateGauge[Any]]:
    """Name as Prometheus shows it -> metric."""
    found: dict[str, Metric | StateGauge[Any]] = {gauge.name: gauge for gauge in GAUGES}
    for module in METRIC_MODULES:
        for metric in vars(module).values():
            if isinstance(metric, MetricWrapperBase):
                (described,) = metric.describe()
                suffix = "_total" if described.type == "counter" else ""
                found[described.name + suffix] = described
    return found


def metric_names() -> set[str]:
    """Those of all metrics, counters also without their suffix."""
    return set(known_metrics()) | {name.removesuffix("_total") for name in known_metrics()}


def metrics_in(queries: Iterable[str]) -> set[str]:
    """The metrics that the queries ask for; series of a histogram count as the histogram."""
    return {re.sub(r"_(bucket|sum|count)$", "", name) for query in queries for name in _ASKED.findall(query)}
