"""Documents listed, counted, changed and deleted over HTTP, in a namespace of 100,000 real documents."""

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg

from benchmarks import corpus
from benchmarks.client import Client, to_body
from benchmarks.corpus import BASE_VECTORS, SearchSet
from benchmarks.latency import Latency, time_each
from benchmarks.own_instance import OwnInstance, own_directory, own_instance
from benchmarks.process_cpu import wait_until_idle
from benchmarks.report import Figure, Goal

SIZE = 100_000
_MODEL, _NAMESPACE = "external-8", "documents"
_NUMBERS = 8
"""Of a vector: what is measured here does not depend on it."""
_BATCH, _UPLOADERS, _PAGE = 256, 2, 1_000
_TIMES = 30
_LISTED = Goal(20_000, at_least=True)
_COUNTED = Goal(100, at_least=False)


def measure(size: int = SIZE) -> list[Figure]:
    data = corpus.search_set(min(size, BASE_VECTORS))
    with own_directory() as folder, own_instance(folder) as instance:
        client = Client(instance.url)
        _load(instance, client, data, size)
        figures = [*_listing(client, size), *_counting(client), *_changing(client)]
        client.close()
    return figures


def _load(instance: OwnInstance, client: Client, data: SearchSet, size: int) -> None:
    """As many documents as asked for: those that there are, again and again under other ids."""
    instance.manage(
        *("register_model", "--model-id", _MODEL, "--type", "external", "--dimension", str(_NUMBERS), "--activate")
    )

    def body(start: int) -> bytes:
        numbers = range(start, min(start + _BATCH, size))
        known = [data.documents[number % len(data.documents)] for number in numbers]
        documents = [
            {
                "id": f"d{number:07}",
                "text": document.text,
                "vector": data.vectors[number % len(data.vectors), :_NUMBERS],
                "metadata": {**document.metadata, "tenth": number % 10},
            }
            for number, document in zip(numbers, known, strict=True)
        ]
        return to_body({"namespace": _NAMESPACE, "model_id": _MODEL, "documents": documents})

    with ThreadPoolExecutor(_UPLOADERS) as pool:
        list(pool.map(lambda start: client.post_patiently("/v1/upsert", body(start), 600), range(0, size, _BATCH)))
    with psycopg.connect(instance.database_url, autocommit=True) as connection:
        connection.execute("VACUUM (ANALYZE)")  # what autovacuum does within the next minute anyway
    wait_until_idle(instance.var)


def _ask(client: Client, route: str, **body: Any) -> dict[str, Any]:
    return client.post(f"/v1/documents/{route}", {"namespace": _NAMESPACE, **body})


def _listing(client: Client, size: int) -> list[Figure]:
    began, listed, cursor, pages = time.perf_counter(), 0, None, 0
    while True:
        page = _ask(client, "query", limit=_PAGE, **({"cursor": cursor} if cursor else {}))
        listed, cursor, pages = listed + len(page["documents"]), page["next"], pages + 1
        if cursor is None:
            break
    rate = listed / (time.perf_counter() - began)
    note = f"{listed:,} of {size:,} documents with text and metadata, {pages} pages"
    return [Figure("listed, one client", rate, "documents/s", _LISTED, note)]


def _counting(client: Client) -> list[Figure]:
    bodies: dict[str, tuple[str, dict[str, Any]]] = {
        "count of all": ("count", {}),
        "count of a tenth": ("count", {"filters": {"tenth": 3}}),
        "count, judged in Python": ("count", {"filters": {"section": {"gte": "p"}}}),
        "values of a field": ("facet", {"field": "section"}),
        "a page of 100 of a tenth": ("query", {"filters": {"tenth": 3}, "limit": 100}),
    }
    figures = []
    for name, (route, body) in bodies.items():
        latency = _timed(client, route, body)
        goal = _COUNTED if route != "query" else None
        figures += [
            Figure(f"{name}, p50", latency.p50_ms, "ms"),
            Figure(f"{name}, p99", latency.p99_ms, "ms", goal),
        ]
    return figures


def _timed(client: Client, route: str, body: dict[str, Any]) -> Latency:
    return time_each(lambda _: _ask(client, route, **body), range(_TIMES))


def _changing(client: Client) -> list[Figure]:
    return [
        _through(client, "changed by a filter", "update", {"filters": {"tenth": 5}, "set": {"seen": True}}, "updated"),
        _through(client, "deleted by a filter", "delete", {"filters": {"tenth": 7}}, "deleted"),
    ]


def _through(client: Client, name: str, route: str, body: dict[str, Any], counted: str) -> Figure:
    began, changed, cursor, requests = time.perf_counter(), 0, None, 0
    while True:
        answer = _ask(client, route, **body, **({"cursor": cursor} if cursor else {}))
        changed, cursor, requests = changed + answer[counted], answer["next"], requests + 1
        if cursor is None:
            break
    rate = changed / (time.perf_counter() - began)
    return Figure(name, rate, "documents/s", note=f"{changed:,} documents, {requests} requests")
