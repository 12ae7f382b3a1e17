"""Figures about the whole service that no process counts: read from its state when Prometheus asks.

The process that answers gives them for all, so they are right with any number of api processes.
"""

import platform
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import Any, ClassVar, Generic, TypeVar

from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from embedding_project import VERSION
from embedding_project.broker.embed_load import EmbedLoad
from embedding_project.contracts.messages import Lane
from embeddings_app.records.operations import ReplicaProgress
from embeddings_app.services.operating.service_state import (
    Queues,
    StoredState,
    WaitingWork,
    embed_load,
    queues,
    stored_state,
    waiting_work,
)

Samples = Iterable[tuple[tuple[str, ...], float]]
Source = TypeVar("Source")


@dataclass(frozen=True, slots=True)
class StateGauge(Generic[Source]):
    """A gauge whose samples all follow from what one source says."""

    type: ClassVar[str] = "gauge"
    name: str
    documentation: str
    labels: tuple[str, ...]
    samples: Callable[[Source], Samples]


_VERSION = ("model", "version")
_REPLICA = (*_VERSION, "shard", "replica")


def _replicas(figure: Callable[[ReplicaProgress], float]) -> Callable[[StoredState], Samples]:
    def samples(stored: StoredState) -> Samples:
        for item in stored.replicas:
            yield (item.model_id, str(item.version), str(item.shard), str(item.replica)), figure(item)

    return samples


def _pending(work: WaitingWork) -> Samples:
    return [((item.model_id, str(item.version)), item.pending) for item in work.versions]


def _quarantined(work: WaitingWork) -> Samples:
    return [((item.model_id, str(item.version)), item.quarantined) for item in work.versions]


def _oldest(work: WaitingWork) -> Samples:
    return [((), work.oldest_pending_seconds)]


def _recalls(stored: StoredState) -> Samples:
    return [((item.model_id, str(item.version)), item.recall) for item in stored.recalls]


def _wanted(stored: StoredState) -> Samples:
    return [((), stored.replica_count.expected)]


def _job_successes(stored: StoredState) -> Samples:
    return [((run.job,), run.last_ok_at.timestamp()) for run in stored.jobs if run.last_ok_at is not None]


def _job_seconds(stored: StoredState) -> Samples:
    return [((run.job,), run.seconds) for run in stored.jobs]


def _bulk_states(stored: StoredState) -> Samples:
    return [((state,), number) for state, number in stored.bulk_states.items()]


def _bulk_rows(stored: StoredState) -> Samples:
    for job in stored.bulk_jobs:
        for outcome, number in asdict(job.rows).items():
            yield (str(job.key), outcome), number


def _bulk_registering(stored: StoredState) -> Samples:
    return [] if stored.bulk_registering_seconds is None else [((), stored.bulk_registering_seconds)]


def _bulk_rates(stored: StoredState) -> Samples:
    return [((str(job.key),), job.rows_per_second or 0.0) for job in stored.bulk_jobs]


def _lengths(found: Queues) -> Samples:
    return [((name,), length) for name, length in found.items()]


def _queued_tokens(load: EmbedLoad) -> Samples:
    return [((lane,), load.queued_tokens(lane)) for lane in Lane]


def _backlog(load: EmbedLoad) -> Samples:
    return [((lane,), seconds) for lane in Lane if (seconds := load.backlog_seconds(lane)) is not None]


def _embedders(load: EmbedLoad) -> Samples:
    return [((), load.embedders)]


def _speeds(load: EmbedLoad) -> Samples:
    return [((model,), load.embedders * speed) for model, speed in load.speeds.items()]


def _known(servers: dict[str, bool]) -> Samples:
    return [((server,), known) for server, known in servers.items()]


def _build(_servers: object) -> Samples:
    return [((VERSION, platform.python_version()), 1)]


_WORK_GAUGES = (
    StateGauge("records_pending", "Documents that wait for their vector, counted up to 100,000.", _VERSION, _pending),
    StateGauge("records_quarantined", "Documents whose text cannot be embedded.", _VERSION, _quarantined),
    StateGauge("records_oldest_pending_seconds", "Age of the oldest write that waits for its vector.", (), _oldest),
)
_STORED_GAUGES: tuple[StateGauge[StoredState], ...] = (
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
    StateGauge(
        "replica_unbuilt_documents",
        "Documents in no graph yet, of the namespace that has the most of them.",
        _REPLICA,
        _replicas(lambda r: r.unbuilt_documents),
    ),
    StateGauge(
        "replica_without_room",
        "Whether the replica does not load the version for want of memory.",
        _REPLICA,
        _replicas(lambda r: bool(r.problem)),
    ),
    StateGauge(
        "search_recall", "Share of the ten nearest documents that sampled searches of clients find.", _VERSION, _recalls
    ),
    StateGauge("replicas_wanted", "Replicas of all shards that the layout asks for.", (), _wanted),
    StateGauge(
        "job_last_success_timestamp_seconds", "When a run of the job last ended well.", ("job",), _job_successes
    ),
    StateGauge("job_last_run_seconds", "How long the last run of the job took.", ("job",), _job_seconds),
    StateGauge("bulk_jobs", "Bulk jobs by state, those included that have ended.", ("state",), _bulk_states),
    StateGauge("bulk_job_rows", "Rows of a bulk job that has not ended, by outcome.", ("job", "outcome"), _bulk_rows),
    StateGauge("bulk_job_rows_per_second", "Rows that the last buckets of the job brought.", ("job",), _bulk_rates),
    StateGauge(
        "bulk_registering_seconds",
        "Longest transaction that made documents of the newest bulk job visible.",
        (),
        _bulk_registering,
    ),
)
_QUEUE_GAUGES = (StateGauge("queue_messages", "Messages that nobody has taken yet.", ("queue",), _lengths),)
_LOAD_GAUGES = (
    StateGauge(
        "embed_queued_tokens", "Tokens sent to the embedders and not answered, estimated.", ("lane",), _queued_tokens
    ),
    StateGauge("embed_backlog_seconds", "How long all embedders need for what waits.", ("lane",), _backlog),
    StateGauge("embed_live_embedders", "Embedders that reported lately.", (), _embedders),
    StateGauge("embed_tokens_per_second", "What all embedders together compute when busy.", ("model",), _speeds),
)
_SERVER_GAUGES: tuple[StateGauge[dict[str, bool]], ...] = (
    StateGauge("state_known", "Whether the server tells what the gauges of its kind show.", ("server",), _known),
    StateGauge("build_info", "1, with the versions as labels.", ("version", "python"), _build),
)
GAUGES: tuple[StateGauge[Any], ...] = (*_WORK_GAUGES, *_STORED_GAUGES, *_QUEUE_GAUGES, *_LOAD_GAUGES, *_SERVER_GAUGES)


class StateCollector(Collector):
    """The gauges of one scrape. Those of a server that does not answer have no samples."""

    def __init__(
        self,
        stored: Callable[[], StoredState | None] = stored_state,
        work: Callable[[], WaitingWork | None] = waiting_work,
    ) -> None:
        """`stored` and `work`: what Postgres says, or None."""
        self._stored = stored
        self._work = work

    def collect(self) -> Iterator[GaugeMetricFamily]:
        stored, work, found = self._stored(), self._work(), queues()
        yield from _families(_WORK_GAUGES, work)
        yield from _families(_STORED_GAUGES, stored)
        yield from _families(_QUEUE_GAUGES, found)
        yield from _families(_LOAD_GAUGES, embed_load())
        known = {"postgres": stored is not None and work is not None, "broker": found is not None}
        yield from _families(_SERVER_GAUGES, known)


def _families(gauges: Iterable[StateGauge[Source]], source: Source | None) -> Iterator[GaugeMetricFamily]:
    for gauge in gauges:
        family = GaugeMetricFamily(gauge.name, gauge.documentation, labels=gauge.labels)
        for labels, value in () if source is None else gauge.samples(source):
            family.add_metric(labels, float(value))
        yield family


STATE_REGISTRY = CollectorRegistry()
STATE_REGISTRY.register(StateCollector())
