"""Rows with vectors into Postgres and graphs by a bulk job: beside /v1/upsert over HTTP, and beside Faiss alone, in the
same run on the same machine."""

import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks import bare_faiss, corpus, wrk
from benchmarks.bulk_rows import write_rows
from benchmarks.client import to_body
from benchmarks.errors import BenchmarkError
from benchmarks.loaded_index import MODEL_ID, NAMESPACE, PROCESSES, load_by_job, register, settle
from benchmarks.own_instance import OwnInstance, own_directory, own_instance
from benchmarks.points import measure_point
from benchmarks.process_cpu import CpuWatch, cpu_seconds, describe
from benchmarks.registering import registering_figures
from benchmarks.report import Figure, Goal

SIZE = 200_000
_REQUESTS = 120
_DOCUMENTS = 256
_SECONDS = 6
_LATE_SECONDS = 3.0
"""Requests that were sent last end some time after the load."""
_DONE = "done"
_RATE = Goal(30_000, at_least=True)
_FACTOR = Goal(10, at_least=True)
_GRAPHS = Goal(0.9, at_least=True)
_SHARDS = 2


def measure(size: int = SIZE) -> list[Figure]:
    wrk.require_wrk()
    with own_directory() as folder, own_instance(folder) as instance:
        register(instance)
        bodies = wrk.write_bodies(folder / "upserts.jsonl", _bodies())
        online = measure_point(instance, "/v1/upsert", bodies, connections=PROCESSES, seconds=_SECONDS, warm_up=False)
        if online.load.requests > _REQUESTS:
            raise BenchmarkError("the prepared documents ran out: some were sent twice")
        time.sleep(_LATE_SECONDS)
        ((written,),) = instance.query("SELECT count(*) FROM document")
        settle(instance, written)
        upsert_rate = online.load.rate * _DOCUMENTS
        return [
            Figure(f"/v1/upsert, {_DOCUMENTS} a request", upsert_rate, "documents/s", note=online.note),
            *_bulk_figures(instance, write_rows(folder / "rows.parquet", _vectors(size)), size, upsert_rate),
            *_graph_figures(instance, size),
        ]


def _bulk_figures(instance: OwnInstance, source: Path, size: int, upsert_rate: float) -> list[Figure]:
    watch, postgres = CpuWatch(instance.var), cpu_seconds(instance.var)["postgres"]
    began = time.monotonic()
    load_by_job(instance, source)
    whole = time.monotonic() - began
    cores = describe(watch.stop())
    buckets = instance.query(
        """
        SELECT count(*), extract(epoch FROM max(b.loaded_at) - min(b.loaded_at - b.seconds * interval '1 s'))::float8,
               sum(b.seconds)::float8, extract(epoch FROM max(b.loaded_at) - min(j.created_at))::float8
        FROM bulk_bucket b JOIN bulk_job j ON j.id = b.job_id WHERE j.state = %s
        """,
        (_DONE,),
    )
    number, loading, busy, durable = buckets[0]
    postgres_seconds = cpu_seconds(instance.var)["postgres"] - postgres
    rate = size / loading
    note = f"{size:,} rows, {number} buckets, {PROCESSES} connections"
    return [
        Figure("bulk, rows in Postgres while buckets load", rate, "documents/s", _RATE, note=note),
        Figure("bulk beside /v1/upsert", rate / upsert_rate, "x", _FACTOR),
        Figure("bulk, one connection", size / busy, "documents/s"),
        Figure(
            "bulk, from the plan until all rows are in Postgres",
            size / durable,
            "documents/s",
            note="checks, buckets and the start of processes included",
        ),
        Figure("bulk, until all rows can be searched", size / whole, "documents/s", note=f"cores: {cores}"),
        Figure(
            "bulk, Postgres, its log entries and reads by nodes included", 1e6 * postgres_seconds / size, "us a row"
        ),
    ]


def _graph_figures(instance: OwnInstance, size: int) -> list[Figure]:
    """How long the stages of the graphs took, and Faiss alone over the same vectors."""
    stages = instance.query(
        """
        SELECT extract(epoch FROM max(b.loaded_at) - min(j.created_at))::float8,
               extract(epoch FROM max(e.at) - min(j.created_at))::float8,
               (SELECT sum(graph_documents)::float8 / sum(documents)::float8 FROM shard_replica WHERE documents > 0)
        FROM bulk_job j JOIN bulk_bucket b ON b.job_id = j.id
        JOIN audit_event e ON e.action = 'bulk.done' AND e.subject LIKE 'bulk job ' || j.id || '%%'
        """
    )
    loaded, registered, share = stages[0]
    vectors = _vectors(size)
    began = time.perf_counter()
    bare_faiss.MergedShards(vectors, _SHARDS)
    bare = size / (time.perf_counter() - began)
    rate = size / registered
    note = f"{share:.0%} of all documents are in graphs then"
    return [
        Figure("graphs and preparation", registered - loaded, "s"),
        *registering_figures(instance),
        Figure("bulk, from the plan until all rows are visible at once", rate, "documents/s", note=note),
        Figure("Faiss alone, all cores", bare, "documents/s"),
        Figure("bulk, visible / Faiss alone", rate / bare, "x", _GRAPHS),
    ]


def _bodies() -> Iterator[bytes]:
    known, vectors = corpus.documents(), _vectors(_DOCUMENTS)
    for request in range(_REQUESTS):
        rows = [known[(request * _DOCUMENTS + place) % len(known)] for place in range(_DOCUMENTS)]
        documents = [
            {"id": f"online/{request}/{place}", "text": row.text, "metadata": row.metadata, "vector": vectors[place]}
            for place, row in enumerate(rows)
        ]
        yield to_body({"namespace": NAMESPACE, "model_id": MODEL_ID, "documents": documents})


def _vectors(count: int) -> corpus.Matrix:
    return corpus.enlarged_set(count, 0)[0]
