"""Brings vectors into an instance, by HTTP or by a bulk job, waits until all of them stand in graph segments, and asks
for them."""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import psycopg

from benchmarks.client import Client, to_body
from benchmarks.corpus import DIMENSION, Matrix, SearchSet
from benchmarks.errors import BenchmarkError
from benchmarks.exact import Truth
from benchmarks.own_instance import OwnInstance
from benchmarks.process_cpu import wait_until_idle

MODEL_ID = "bench-384"
NAMESPACE = "bench"
TOP_K = 10
PROCESSES = 2
"""Of a bulk job, each with a connection of its own."""
_BATCH = 256
_UPLOADERS = 2
_LIMIT_SECONDS = 240.0
_DOCUMENTS_PER_SECOND = 500
"""A slower load is given up."""
_CHECKERS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Loading:
    """How the load went."""

    documents: int
    upload_seconds: float
    searchable_seconds: float
    """From the first request until every document could be found."""
    graph_seconds: float
    """From the first request until every document stood in a graph segment."""


def load(instance: OwnInstance, data: SearchSet) -> Loading:
    """Raises BenchmarkError when documents are missing or do not get into the graphs in time."""
    register(instance)
    client, limit = Client(instance.url), _limit_seconds(len(data.documents))
    began = time.monotonic()
    with ThreadPoolExecutor(_UPLOADERS) as pool:
        starts = range(0, len(data.documents), _BATCH)
        list(pool.map(lambda start: client.post_patiently("/v1/upsert", _upsert_body(data, start), limit), starts))
    uploaded = time.monotonic() - began
    _wait_until_indexed(instance, len(data.documents))
    searchable = time.monotonic() - began
    wait_until_in_graphs(instance, len(data.documents))
    graphs = time.monotonic() - began
    client.close()
    settle(instance, len(data.documents))
    return Loading(
        documents=len(data.documents),
        upload_seconds=uploaded,
        searchable_seconds=searchable,
        graph_seconds=graphs,
    )


def register(instance: OwnInstance) -> None:
    """The model whose vectors are loaded."""
    instance.manage(
        *("register_model", "--model-id", MODEL_ID, "--type", "external", "--dimension", str(DIMENSION), "--activate")
    )


def load_by_job(instance: OwnInstance, source: Path) -> None:
    """All rows of a file, until they can be searched. Raises BenchmarkError."""
    instance.manage(
        *("bulk_ingest", "run", str(source), "--namespace", NAMESPACE),
        *("--model-id", MODEL_ID, "--workers", str(PROCESSES)),
    )


def settle(instance: OwnInstance, documents: int) -> None:
    """Return once all documents stand in graphs and nothing goes on behind the scenes. Raises BenchmarkError."""
    wait_until_in_graphs(instance, documents)
    with psycopg.connect(instance.database_url, autocommit=True) as connection:
        connection.execute("VACUUM (ANALYZE)")  # what autovacuum does within the next minute anyway
    wait_until_idle(instance.var)


def search_bodies(queries: Matrix, **options: object) -> list[bytes]:
    """One search for each query."""
    return [to_body({"vector": query, "top_k": TOP_K, "namespace": NAMESPACE, **options}) for query in queries]


def batch_bodies(queries: Matrix, batch: int, **options: object) -> list[bytes]:
    """The same searches, so many in each request."""
    one = {"top_k": TOP_K, "namespace": NAMESPACE, **options}
    starts = range(0, len(queries) - batch + 1, batch)
    return [
        to_body({"searches": [{"vector": query, **one} for query in queries[start : start + batch]]})
        for start in starts
    ]


def row_of(data: SearchSet) -> Callable[[str], int]:
    """Gives the row of the document with an id."""
    return {document.doc_id: row for row, document in enumerate(data.documents)}.__getitem__


def recall(client: Client, row_of: Callable[[str], int], truth: Truth, bodies: Sequence[bytes]) -> float:
    """Recall@10 of the answers to `bodies`. Raises BenchmarkError when an answer lacks a shard."""

    def rows(body: bytes) -> list[int]:
        answer = client.post("/v1/search", body)
        if answer["partial"]:
            raise BenchmarkError(f"a search was answered without a shard: {answer['shards']}")
        return [row_of(hit["id"]) for hit in answer["hits"]]

    with ThreadPoolExecutor(_CHECKERS) as pool:
        return truth.recall(list(pool.map(rows, bodies)), TOP_K)


def _upsert_body(data: SearchSet, start: int) -> bytes:
    documents = [
        {"id": document.doc_id, "vector": vector, "metadata": document.metadata}
        for document, vector in zip(
            data.documents[start : start + _BATCH], data.vectors[start : start + _BATCH], strict=True
        )
    ]
    return to_body({"namespace": NAMESPACE, "model_id": MODEL_ID, "documents": documents})


def wait_until_in_graphs(instance: OwnInstance, documents: int) -> None:
    """Raises BenchmarkError."""
    _wait_until(instance, documents, lambda found: found == (documents, documents))


def _wait_until_indexed(instance: OwnInstance, documents: int) -> None:
    """Return once the nodes hold all documents, in graphs or not: then all can be found. Raises BenchmarkError."""
    _wait_until(instance, documents, lambda found: found[0] == documents)


def _wait_until(instance: OwnInstance, documents: int, reached: Callable[[tuple[int, ...]], bool]) -> None:
    deadline = time.monotonic() + _limit_seconds(documents)
    while not reached(found := _in_graphs(instance)):
        if time.monotonic() > deadline:
            raise BenchmarkError(f"documents and those in graphs: {found}, expected {documents}")
        time.sleep(0.5)


def _limit_seconds(documents: int) -> float:
    return _LIMIT_SECONDS + documents / _DOCUMENTS_PER_SECOND


def _in_graphs(instance: OwnInstance) -> tuple[int, ...]:
    rows = instance.query(
        """
        SELECT coalesce(sum(r.documents), 0)::bigint, coalesce(sum(r.graph_documents), 0)::bigint
        FROM shard_replica r JOIN model_registry m ON m.id = r.model_version_id
        WHERE m.model_id = %s
        """,
        (MODEL_ID,),
    )
    return tuple(map(int, rows[0]))
