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
from embedding_project.broker.embed_load import EmbedLoad
from embedding_project.contracts.messages import Lane
from embeddings_app.records.state import ReplicaProgress
from embeddings_app.services.operating.service_state import Queues, StoredState, embed_load, queues, stored_state

Samples = Iterable[tuple[tuple[str, ...], float]]


@dataclass(frozen=True, slots=True)
class State:
    """None stands for a server that does not say."""

    stored: StoredState | None
    queues: Queues | None
    load: EmbedLoad | None = None


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


def _queued_tokens(state: State) -> Samples:
    return [((lane,), state.load.queued_tokens(lane)) for lane in Lane] if state.load else ()


def _backlog(state: State) -> Samples:
    for lane in Lane if state.load else ():
        seconds = state.load.backlog_seconds(lane) if state.load else None
        if seconds is not None:
            yield (lane,), seconds


def _embedders(state: State) -> Samples:
    return [((), state.load.embedders)] if state.load else ()


def _speeds(state: State) -> Samples:
    if state.load is None:
        return ()
    return [((model,), state.load.embedders * speed) for model, speed in state.load.speeds.items()]


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
    StateGauge(
        "embed_queued_tokens", "Tokens sent to the embedders and not answered, estimated.", ("lane",), _queued_tokens
    ),
    StateGauge("embed_backlog_seconds", "How long all embedders need for what waits.", ("lane",), _backlog),
    StateGauge("embed_live_embedders", "Embedders that reported lately.", (), _embedders),
    StateGauge("embed_tokens_per_second", "What all embedders together compute when busy.", ("model",), _speeds),
    StateGauge("state_known", "Whether the server tells what the gauges of its kind show.", ("server",), _known),
    StateGauge("build_info", "1, with the versions as labels.", ("version", "python"), _build),
)


class StateCollector(Collector):
    """The gauges of one scrape, all of them from the same state."""

    def collect(self) -> Iterator[GaugeMetricFamily]:
        state = State(stored_state(), queues(), embed_load())
        for gauge in GAUGES:
            family = GaugeMetricFamily(gauge.name, gauge.documentation, labels=gauge.labels)
            for labels, value in gauge.samples(state):
                family.add_metric(labels, float(value))
            yield family


STATE_REGISTRY = CollectorRegistry()
STATE_REGISTRY.register(StateCollector())
