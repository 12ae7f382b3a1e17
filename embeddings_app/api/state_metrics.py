"""Figures about the whole service that no process counts: read from its state when Prometheus asks.

The process that answers gives them for all, so they are right with any number of api processes.
"""

import platform
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import ClassVar

from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from embedding_project import VERSION
from embeddings_app.records.state import ReplicaProgress
from embeddings_app.services.service_state import Queues, StoredState, queues, stored_state

Samples = Iterable[tuple[tuple[str, ...], float]]


@dataclass(frozen=True, slots=True)
class State:
    """None stands for a server that does not say."""

    stored: StoredState | None
    queues: Queues | None


@dataclass(frozen=True, slots=True)
class StateGauge:
    """A gauge whose samples are all made from one state."""

    type: ClassVar[str] = "gauge"
    name: str
    documentation: str
    labels: tuple[str, ...]
    samples: Callable[[State], Samples]


_VERSION = ("model", "version")
_REPLICA = (*_VERSION, "shard", "replica")


def _replicas(figure: Callable[[ReplicaProgress], float]) -> Callable[[State], Samples]:
    def samples(state: State) -> Samples:
        for item in state.stored.replicas if state.stored else ():
            yield (item.model_id, str(item.version), str(item.shard), str(item.replica)), figure(item)

    return samples


def _pending(state: State) -> Samples:
    return [((item.model_id, str(item.version)), item.pending) for item in state.stored.work] if state.stored else ()


def _quarantined(state: State) -> Samples:
    work = state.stored.work if state.stored else ()
    return [((item.model_id, str(item.version)), item.quarantined) for item in work]


def _oldest(state: State) -> Samples:
    return [((), state.stored.oldest_pending_seconds)] if state.stored else ()


def _wanted(state: State) -> Samples:
    return [((), state.stored.topology.shards * state.stored.topology.replicas)] if state.stored else ()


def _lengths(state: State) -> Samples:
    return [((name,), length) for name, length in (state.queues or {}).items()]


def _known(state: State) -> Samples:
    return [(("postgres",), state.stored is not None), (("broker",), state.queues is not None)]


def _build(_state: State) -> Samples:
    return [((VERSION, platform.python_version()), 1)]


GAUGES = (
    StateGauge("records_pending", "Documents that wait for their vector, counted up to 100,000.", _VERSION, _pending),
    StateGauge("records_quarantined", "Documents whose text cannot be embedded.", _VERSION, _quarantined),
    StateGauge("records_oldest_pending_seconds", "Age of the oldest write that waits for its vector.", (), _oldest),
    StateGauge("replica_ready", "Whether the replica answers searches.", _REPLICA, _replicas(lambda r: r.ready)),
    StateGauge("replica_lag_entries", "Log entries not applied yet.", _REPLICA, _replicas(lambda r: r.lag)),
    StateGauge(
        "replica_heartbeat_age_seconds",
        "Time since the last sign of life.",
        _REPLICA,
        _replicas(lambda r: r.heartbeat_seconds),
    ),
    StateGauge("replica_documents", "Documents that can be found.", _REPLICA, _replicas(lambda r: r.documents)),
    StateGauge(
        "replica_graph_documents", "Documents found by a graph.", _REPLICA, _replicas(lambda r: r.graph_documents)
    ),
    StateGauge("replicas_wanted", "Replicas of all shards that the layout asks for.", (), _wanted),
    StateGauge("queue_messages", "Messages that nobody has taken yet.", ("queue",), _lengths),
    StateGauge("state_known", "Whether the server tells what the gauges of its kind show.", ("server",), _known),
    StateGauge("build_info", "1, with the versions as labels.", ("version", "python"), _build),
)


class StateCollector(Collector):
    """The gauges of one scrape, all of them from the same state."""

    def collect(self) -> Iterator[GaugeMetricFamily]:
        state = State(stored_state(), queues())
        for gauge in GAUGES:
            family = GaugeMetricFamily(gauge.name, gauge.documentation, labels=gauge.labels)
            for labels, value in gauge.samples(state):
                family.add_metric(labels, float(value))
            yield family


STATE_REGISTRY = CollectorRegistry()
STATE_REGISTRY.register(StateCollector())
