"""/v1/upsert with the default model: how fast writes are acknowledged, and how soon they are found."""

import time
from collections.abc import Iterator
from itertools import count

from benchmarks import corpus, wrk
from benchmarks.client import Client, to_body
from benchmarks.corpus import Document
from benchmarks.errors import BenchmarkError
from benchmarks.latency import Latency, time_each
from benchmarks.own_instance import own_directory, own_instance
from benchmarks.points import measure_point
from benchmarks.report import Figure

PATH = "/v1/upsert"
_LATENCY_SAMPLES = 120
_STREAM_DOCUMENTS = 512
_SINGLE_BODIES = 10_000
"""More than can be accepted while measuring: a body that came twice would be recognised and cost less."""
_FULL_BODIES = 160
_DOCUMENTS = 256
_CLIENTS = 4
_FULL_SECONDS = 5
_LIMIT_SECONDS = 120.0


def measure() -> list[Figure]:
    wrk.require_wrk()
    supply = _endless_documents()
    with own_directory() as folder, own_instance(folder) as instance:
        client = Client(instance.url)
        client.embed(["Warm up the model."])
        searchable = _single_latency(client, supply, "searchable")
        indexed = _single_latency(client, supply, "indexed")
        accepted = _single_latency(client, supply, "accepted")
        stream_rate = _stream(client, supply)
        single = wrk.write_bodies(folder / "single.jsonl", (_body([next(supply)]) for _ in range(_SINGLE_BODIES)))
        full = wrk.write_bodies(
            folder / "full.jsonl", (_body([next(supply) for _ in range(_DOCUMENTS)]) for _ in range(_FULL_BODIES))
        )
        ones = measure_point(instance, PATH, single, connections=_CLIENTS, warm_up=False)
        fulls = measure_point(instance, PATH, full, connections=_CLIENTS, seconds=_FULL_SECONDS, warm_up=False)
        if ones.load.requests > _SINGLE_BODIES or fulls.load.requests > _FULL_BODIES:
            raise BenchmarkError("the prepared documents ran out: some were sent twice")
        client.close()
    return [
        *_latency_figures("searchable", searchable),
        *_latency_figures("indexed", indexed),
        *_latency_figures("accepted", accepted),
        Figure("mixed texts until searchable", stream_rate, "documents/s", note=f"{_STREAM_DOCUMENTS} at once"),
        Figure(f"accepted, 1 a request, {_CLIENTS} clients", ones.load.rate, "documents/s", note=ones.note),
        Figure(f"accepted, 1 a request, {_CLIENTS} clients, p99", ones.load.p99_ms, "ms"),
        Figure(
            f"accepted, {_DOCUMENTS} a request, {_CLIENTS} clients",
            fulls.load.rate * _DOCUMENTS,
            "documents/s",
            note=fulls.note,
        ),
        Figure(f"accepted, {_DOCUMENTS} a request, {_CLIENTS} clients, p99", fulls.load.p99_ms, "ms"),
    ]


def _endless_documents() -> Iterator[Document]:
    """Documents of which no two have an id or a text in common."""
    known = corpus.documents()
    for number in count():
        document = known[number % len(known)]
        yield Document(f"{document.doc_id}-{number}", f"{document.text} {number}", document.metadata)


def _body(documents: list[Document], wait: str = "accepted", namespace: str = "bench") -> bytes:
    listed = [{"id": item.doc_id, "text": item.text, "metadata": item.metadata} for item in documents]
    return to_body({"namespace": namespace, "documents": listed, "wait": wait})


def _single_latency(client: Client, supply: Iterator[Document], wait: str) -> Latency:
    """One document a request, one request after another."""

    def write(body: bytes) -> None:
        state = client.post(PATH, body)["results"][0]["state"]
        if wait == "searchable" and state != wait:
            raise BenchmarkError(f"a document is {state} when it was to be {wait}")

    return time_each(write, [_body([next(supply)], wait) for _ in range(_LATENCY_SAMPLES)])


def _stream(client: Client, supply: Iterator[Document]) -> float:
    """Documents per second from the first request until all of them can be found."""
    batches = [[next(supply) for _ in range(_DOCUMENTS)] for _ in range(_STREAM_DOCUMENTS // _DOCUMENTS)]
    began = time.monotonic()
    for batch in batches:
        client.post(PATH, _body(batch, namespace="stream"))
    while client.get("/v1/namespaces/stream")["searchable"] < _STREAM_DOCUMENTS:
        if time.monotonic() - began > _LIMIT_SECONDS:
            raise BenchmarkError(f"not searchable in time: {client.get('/v1/namespaces/stream')}")
        time.sleep(0.1)
    return _STREAM_DOCUMENTS / (time.monotonic() - began)


def _latency_figures(wait: str, latency: Latency) -> list[Figure]:
    note = f"1 document a request, {latency.count} of them, 1 client"
    return [
        Figure(f"answer when {wait}, p50", latency.p50_ms, "ms", note=note),
        Figure(f"answer when {wait}, p99", latency.p99_ms, "ms"),
    ]
