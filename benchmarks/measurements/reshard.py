"""Documents move from 2 to 4 shards beside searches of 4 clients and upserts: what is felt, and what is missing."""

import time

from benchmarks import corpus
from benchmarks.client import Client
from benchmarks.corpus import SearchSet
from benchmarks.latency import Latency
from benchmarks.loaded_index import MODEL_ID, NAMESPACE, load, search_bodies
from benchmarks.measurements.search import environ
from benchmarks.own_instance import OwnInstance, own_directory, own_instance
from benchmarks.report import Figure, Goal
from benchmarks.steady_searches import SteadySearches
from benchmarks.steady_writes import SteadyWrites

SIZE = 60_000
SHARDS = 4
_CLIENTS = 4
_DOCUMENTS_PER_SECOND, _DOCUMENTS_PER_REQUEST = 50, 10
_IDLE_SECONDS, _AFTER_SECONDS = 30.0, 10.0
_REPORT_SECONDS = 10.0
_NONE = Goal(1, at_least=False)
_RATIO = Goal(2, at_least=False)


def measure(size: int = SIZE) -> list[Figure]:
    data = corpus.search_set(size)
    with own_directory() as folder, own_instance(folder, environ=environ()) as instance:
        load(instance, data)
        return _moved(instance, data)


def _moved(instance: OwnInstance, data: SearchSet) -> list[Figure]:
    searches = SteadySearches(url=instance.url, bodies=search_bodies(data.queries, include=[]), clients=_CLIENTS)
    writes = SteadyWrites(
        url=instance.url,
        model_id=MODEL_ID,
        namespaces=(NAMESPACE,),
        vectors=data.vectors,
        documents_per_second=_DOCUMENTS_PER_SECOND,
        documents_per_request=_DOCUMENTS_PER_REQUEST,
    )
    with searches.running(), writes.running():
        began = time.monotonic()
        time.sleep(_IDLE_SECONDS)
        moving = time.monotonic()
        instance.manage("reshard", "run", "--shards", str(SHARDS))
        moved = time.monotonic()
        time.sleep(_AFTER_SECONDS)
        ended = time.monotonic()
    documents = len(data.documents) + sum(writes.written)
    idle, beside = searches.latency(began, moving), searches.latency(moving, moved)
    return [
        *_times(idle, "before"),
        *_times(beside, "while documents move"),
        *_times(searches.latency(moved, ended), "afterwards"),
        Figure("p99, while documents move / before", beside.p99_ms / idle.p99_ms, "x", _RATIO),
        Figure(
            "from the command to the switch", moved - moving, "s", note=f"{documents:,} documents, 2 to {SHARDS} shards"
        ),
        Figure("searches failed or in part", len(searches.failures), "", _NONE),
        Figure("upserts failed", len(writes.failures), "", _NONE, f"{sum(writes.written):,} documents written"),
        Figure("documents missing", _missing(instance, documents), "", _NONE),
    ]


def _times(latency: Latency, label: str) -> list[Figure]:
    return [
        Figure(f"{label}, {_CLIENTS} clients, p50", latency.p50_ms, "ms", note=f"{latency.count:,} searches"),
        Figure(f"{label}, {_CLIENTS} clients, p99", latency.p99_ms, "ms"),
    ]


def _missing(instance: OwnInstance, documents: int) -> int:
    """How many the new shards lack; what was written last is in their reports within a second or so."""
    until = time.monotonic() + _REPORT_SECONDS
    while (missing := documents - _counted(instance)) and time.monotonic() < until:
        time.sleep(0.2)
    return missing


def _counted(instance: OwnInstance) -> int:
    """Documents that the new shards hold, by their own count."""
    client = Client(instance.url)
    counted = client.post("/v1/documents/count", {"namespace": NAMESPACE})
    client.close()
    held = instance.query(
        """
        SELECT coalesce(sum(documents), 0)::bigint FROM (
            SELECT max(r.documents) AS documents FROM shard_replica r
            JOIN layout l ON l.id = r.layout_id AND l.status = 'active'
            JOIN model_registry m ON m.id = r.model_version_id AND m.model_id = %s GROUP BY r.shard
        ) AS held
        """,
        (MODEL_ID,),
    )[0][0]
    return min(int(held), int(counted["count"]))
