"""A million documents in one namespace of two shards, from the bulk job that loads them to a delete of a tenth of them:
graphs, searches, filters, counts, words. Beside it, the same graphs in Faiss alone.
"""

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks import bare_faiss, corpus, wrk
from benchmarks.bare_faiss import FaissFigures
from benchmarks.bulk_rows import vector_of, write_rows
from benchmarks.client import Client, to_body
from benchmarks.errors import BenchmarkError
from benchmarks.exact import Truth, truth_of
from benchmarks.latency import Latency, summarize, time_each
from benchmarks.loaded_index import (
    NAMESPACE,
    TOP_K,
    batch_bodies,
    load_by_job,
    recall,
    register,
    search_bodies,
    settle,
)
from benchmarks.measurements.search import BATCH_PATH, CROWD, FEW, PATH, environ
from benchmarks.own_instance import OwnInstance, own_directory, own_instance
from benchmarks.points import measure_point
from benchmarks.registering import registering_figures
from benchmarks.report import Figure, Goal, render
from benchmarks.steady_searches import SteadySearches

SIZE = 1_000_000
_SHARDS = 2
_QUERIES = 250
_FAISS_SECONDS = 5.0
_SHARES = (0.0001, 0.001, 0.01, 0.1, 0.3, 0.5, 0.9)
_TIMES, _ROUNDS = 30, 3
_WORDS = 3
"""Of a query by words and meaning: those of the title of a document."""
_BATCH_CLIENTS = 4
_WRITERS = 2
_QUIET_SECONDS = 15.0
_FILLED_PER_SECOND = 500
"""Words are given up when they are filled more slowly."""
_BUILT, _BUILT_SECONDS = Goal(0.9, at_least=True), Goal(540, at_least=False)
_SHARE, _BATCH_SHARE = Goal(0.45, at_least=True), Goal(0.6, at_least=True)
_RECALL = Goal(0.97, at_least=True)
_FILTERED, _COUNTED = Goal(3, at_least=False), Goal(100, at_least=False)
_HYBRID, _BESIDE = Goal(2, at_least=False), Goal(2, at_least=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Million:
    """What was loaded, and what is right."""

    vectors: corpus.Matrix
    queries: corpus.Matrix
    truth: Truth
    places: NDArray[np.int64]
    """Of each document, a number of its own in no order: a bound on it passes any share of them."""


def measure(size: int = SIZE) -> list[Figure]:
    wrk.require_wrk()
    data = _data(size)
    bare = bare_faiss.measure(
        data.vectors,
        data.queries,
        data.truth,
        shards=_SHARDS,
        threads=os.cpu_count() or 1,
        top_k=TOP_K,
        seconds=_FAISS_SECONDS,
    )
    with own_directory() as folder, own_instance(folder, environ=environ()) as instance:
        client = Client(instance.url)
        parts: tuple[Callable[[], list[Figure]], ...] = (
            lambda: _load(instance, folder, data, bare),
            lambda: _search(instance, folder, client, data, bare),
            lambda: _filter(client, data),
            lambda: _count(client),
            lambda: _delete(instance, client, data),
            lambda: _words(client, data),
        )
        figures = list[Figure]()
        for part in parts:
            found = part()
            # All of it takes half an hour.
            print(render([("million", found)]), flush=True)
            figures += found
        client.close()
    return figures


def _data(size: int) -> _Million:
    vectors, queries = corpus.enlarged_set(size, _QUERIES)
    places = np.random.default_rng(2).permutation(size)
    return _Million(vectors=vectors, queries=queries, truth=truth_of(vectors, queries, TOP_K), places=places)


def _load(instance: OwnInstance, folder: Path, data: _Million, bare: FaissFigures) -> list[Figure]:
    size, places = len(data.vectors), data.places.tolist()
    source = write_rows(folder / "rows.parquet", data.vectors, lambda row: {"tenth": row % 10, "place": places[row]})
    register(instance)
    began = time.monotonic()
    load_by_job(instance, source)
    visible = time.monotonic() - began
    ((in_graphs,),) = instance.query("SELECT coalesce(sum(graph_documents), 0)::bigint FROM shard_replica")
    source.unlink()
    settle(instance, size)
    note = f"{in_graphs / size:.0%} of them in graphs"
    return [
        Figure("loaded by a bulk job, until all can be searched", visible, "s", _BUILT_SECONDS, note),
        Figure("the same", size / visible, "documents/s"),
        Figure("Faiss alone, graphs", bare.build_rate, "documents/s"),
        Figure("loaded / Faiss alone", size / visible / bare.build_rate, "x", _BUILT),
        *registering_figures(instance),
    ]


def _search(instance: OwnInstance, folder: Path, client: Client, data: _Million, bare: FaissFigures) -> list[Figure]:
    bodies = search_bodies(data.queries, include=[])
    lean = wrk.write_bodies(folder / "lean.jsonl", bodies)
    several = wrk.write_bodies(folder / "batches.jsonl", batch_bodies(data.queries, bare_faiss.BATCH, include=[]))
    figures = [Figure(f"recall@{TOP_K}", recall(client, vector_of, data.truth, bodies), "", _RECALL)]
    points = {clients: measure_point(instance, PATH, lean, connections=clients) for clients in (1, FEW, CROWD)}
    for clients, point in points.items():
        figures += [
            Figure(f"{clients} clients", point.load.rate, "searches/s", note=point.note),
            Figure(f"{clients} clients, p50", point.load.p50_ms, "ms"),
            Figure(f"{clients} clients, p99", point.load.p99_ms, "ms"),
        ]
    batch = measure_point(instance, BATCH_PATH, several, connections=_BATCH_CLIENTS)
    size = bare_faiss.BATCH
    rate = size * batch.load.rate
    return [
        *figures,
        Figure("Faiss alone, a thread a core", bare.rate, "searches/s", note=f"p50 {bare.latency.p50_ms:.2f} ms"),
        Figure(f"{CROWD} clients / Faiss alone", points[CROWD].load.rate / bare.rate, "x", _SHARE),
        Figure(f"batches of {size}, {_BATCH_CLIENTS} clients", rate, "searches/s", note=batch.note),
        Figure("batches / Faiss alone in batches", rate / bare.batch_rate, "x", _BATCH_SHARE),
    ]


def _filter(client: Client, data: _Million) -> list[Figure]:
    """One after the other; a filter passes documents at random."""
    plain = time_each(partial(client.post, PATH), search_bodies(data.queries, include=[]))
    figures = [Figure("no filter, p50", plain.p50_ms, "ms", note="one client in Python")]
    slowest = 0.0
    for share in _SHARES:
        bound = max(TOP_K, round(share * len(data.vectors)))
        bodies = search_bodies(data.queries, include=[], filters={"place": {"lt": bound}})
        found = recall(client, vector_of, _passing(data, bound), bodies)
        latency = time_each(partial(client.post, PATH), bodies)
        slowest = max(slowest, latency.p50_ms)
        note = f"p99 {latency.p99_ms:.1f} ms, recall {found:.3f}"
        figures += [
            Figure(f"a filter that passes {share:.2%}, p50", latency.p50_ms, "ms", note=note),
            Figure(f"a filter that passes {share:.2%}, recall@{TOP_K}", found, "", _RECALL),
        ]
    return [*figures, Figure("slowest filter / no filter", slowest / plain.p50_ms, "x", _FILTERED)]


def _passing(data: _Million, bound: int) -> Truth:
    """What is right among the documents that pass."""
    passing = np.flatnonzero(data.places < bound)
    least = np.partition(data.truth.scores[:, passing], -TOP_K, axis=1)[:, -TOP_K]
    return Truth(data.truth.scores, least)


def _count(client: Client) -> list[Figure]:
    bodies: dict[str, tuple[str, dict[str, Any]]] = {
        "count of all": ("count", {}),
        "count of a tenth": ("count", {"filters": {"tenth": 3}}),
        "count of a tenth by texts": ("count", {"filters": {"section": "games"}}),
        "the ten most frequent values of a field": ("facet", {"field": "section"}),
        "the same of a tenth": ("facet", {"field": "section", "filters": {"tenth": 3}}),
    }
    figures = []
    for name, (route, body) in bodies.items():
        path = f"/v1/documents/{route}"
        asked = to_body({"namespace": NAMESPACE, **body})
        exact = client.post(path, asked)["is_exact"]
        latency = time_each(partial(client.post, path), [asked] * _TIMES)
        note = f"p50 {latency.p50_ms:.0f} ms, {'exact' if exact else 'NOT exact'}"
        figures.append(Figure(f"{name}, p99", latency.p99_ms, "ms", _COUNTED, note))
    return figures


def _words(client: Client, data: _Million) -> list[Figure]:
    """By meaning alone, by words alone and by both, in turns; the query of each is a document that was left out."""
    began, limit = time.monotonic(), len(data.vectors) / _FILLED_PER_SECOND
    client.patch(f"/v1/namespaces/{NAMESPACE}", {"text_search": "simple"})
    titles = [_title(document) for document in corpus.documents()[corpus.BASE_VECTORS :][: len(data.queries)]]
    while _by_words(client, titles[0])["text"]["incomplete"] == "filling":
        if time.monotonic() - began > limit:
            raise BenchmarkError("the words were not filled in time")
        time.sleep(2.0)
    filled = time.monotonic() - began
    pairs = list(zip(data.queries, titles, strict=False))
    modes = {"meaning": {"mode": "vector"}, "words": {"mode": "text"}, "both": {"mode": "hybrid"}}
    times: dict[str, list[Latency]] = {name: [] for name in modes}
    for _ in range(_ROUNDS):
        for name, mode in modes.items():
            bodies = [to_body(_fused_body(mode, query, title)) for query, title in pairs]
            times[name].append(time_each(partial(client.post, PATH), bodies))
    medians = {name: summarize([one.p50_ms for one in found]).p50_ms for name, found in times.items()}
    return [
        Figure("words of all texts", len(data.vectors) / filled, "documents/s", note=f"filled in {filled:.0f} s"),
        *(
            Figure(f"by {name}, p50", medians[name], "ms", note=f"p99 {max(one.p99_ms for one in found):.0f} ms")
            for name, found in times.items()
        ),
        Figure("by both / by meaning", medians["both"] / medians["meaning"], "x", _HYBRID),
    ]


def _title(document: corpus.Document) -> str:
    return " ".join(str(document.metadata.get("title", document.text)).split()[:_WORDS])


def _fused_body(mode: dict[str, str], query: NDArray[np.float32], title: str) -> dict[str, Any]:
    body: dict[str, Any] = {"namespace": NAMESPACE, "top_k": TOP_K, "include": [], **mode}
    if mode["mode"] != "text":
        body["vector"] = query
    if mode["mode"] != "vector":
        body["text_query"] = {"words": title}
    return body


def _by_words(client: Client, words: str) -> dict[str, Any]:
    return client.post(PATH, {"namespace": NAMESPACE, "mode": "text", "text_query": {"words": words}})


def _delete(instance: OwnInstance, client: Client, data: _Million) -> list[Figure]:
    """A tenth of all, beside clients that search without a pause."""
    bodies = search_bodies(data.queries, include=[])
    with SteadySearches(url=instance.url, bodies=bodies, clients=_WRITERS).running() as searches:
        before = time.monotonic()
        time.sleep(_QUIET_SECONDS)
        began, deleted, cursor = time.monotonic(), 0, None
        while True:
            body = {"namespace": NAMESPACE, "filters": {"tenth": 7}, **({"cursor": cursor} if cursor else {})}
            answer = client.post("/v1/documents/delete", body)
            deleted, cursor = deleted + answer["deleted"], answer["next"]
            if cursor is None:
                break
        ended = time.monotonic()
    if searches.failures:
        raise BenchmarkError(f"{len(searches.failures)} searches failed: {searches.failures[0]}")
    alone, beside = searches.latency(before, began), searches.latency(began, ended)
    note = f"{deleted:,} documents in {ended - began:.0f} s"
    return [
        Figure("deleted by a filter beside searches", deleted / (ended - began), "documents/s", note=note),
        Figure(f"searches of {_WRITERS} clients before it, p99", alone.p99_ms, "ms", note=f"p50 {alone.p50_ms:.1f}"),
        Figure("beside it, p99", beside.p99_ms, "ms", note=f"p50 {beside.p50_ms:.1f}"),
        Figure("beside it / before it, p99", beside.p99_ms / alone.p99_ms, "x", _BESIDE),
    ]
